local util = {}
function util.greet(who)
	return "hello " .. who
end
function util.mistake()
	return util.nothing.at_all
end
return util
