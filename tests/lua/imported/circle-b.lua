return import("lib/../circle-a.lua")
