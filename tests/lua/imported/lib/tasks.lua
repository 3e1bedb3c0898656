-- Imported by ../../cases/import.sloth; imports something itself, relative to this file.
local names = import("names.lua")
count = (count or 0) + 1
return { build = { command = function(params) log.info("building " .. params.image .. " by " .. names.first) end } }
