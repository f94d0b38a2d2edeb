// Reads an AsyncAPI document with the parser of the AsyncAPI initiative, and says as JSON what that found.
//
//     node check_asyncapi.mjs FILE
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";
import Ajv from "ajv";

// The parser does not look at examples: each has to be what its schema says.
function wrongExamples(text) {
  const { components } = JSON.parse(text);
  const ajv = new Ajv({ strict: false, allErrors: true });
  ajv.addSchema({ $id: "asyncapi", components });
  return Object.entries(components.messages).flatMap(([name, { examples, payload }]) => {
    const fits = ajv.compile({ $ref: `asyncapi${payload.$ref}` });
    return examples
      .filter((example) => !fits(example.payload))
      .map((_, number) => `components.messages.${name}.examples.${number}: ${ajv.errorsText(fits.errors)}`);
  });
}

const text = readFileSync(process.argv[2], "utf8");
const { document, diagnostics } = await new Parser().parse(text);
console.log(
  JSON.stringify({
    problems: [
      ...diagnostics.map(({ code, message, path }) => `${path.join(".")}: ${message} (${code})`),
      ...wrongExamples(text),
    ],
    version: document?.version(),
    operations: document?.allOperations().length,
    messages: document?.allMessages().length,
  }),
);
