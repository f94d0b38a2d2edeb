// Reads an AsyncAPI document with the parser of the AsyncAPI initiative, and says as JSON what that found.
//
//     node check_asyncapi.mjs FILE
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
console.log(
  JSON.stringify({
    problems: diagnostics.map(({ code, message, path }) => `${path.join(".")}: ${message} (${code})`),
    version: document?.version(),
    operations: document?.allOperations().length,
    messages: document?.allMessages().length,
  }),
);
