return import("circle-b.lua")
