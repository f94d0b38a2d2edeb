-- Tsunami: run out over the land, take one relic at a time, be home before the wave, and let the relics pay.
-- This module is the game's outline; the rules are in the modules it names.

local actions = require("actions")
local describe = require("describe")
local inputs = require("inputs")
local land = require("land")
local observe = require("observe")
local players = require("players")
local relics = require("relics")
local view = require("view")
local wave = require("wave")

local game = {}

function game.setup(world)
  players.setup(world)
  land.build(world)
  relics.setup(world)
  wave.setup(world)
end

function game.join(world, player)
  players.join(world, player)
end

function game.leave(world, player)
  players.leave(world, player)
end

-- First everybody walks, then the wave comes: who gets out of its reach in time is safe.
function game.tick(world)
  players.step(world)
  wave.step(world)
  relics.step(world)
end

game.inputs = inputs
game.observe = observe
game.describe = describe
game.actions = actions
game.view = view

return game
