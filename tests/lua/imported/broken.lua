return 1
local = 2
