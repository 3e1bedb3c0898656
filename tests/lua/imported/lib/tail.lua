return import("names.lua")
