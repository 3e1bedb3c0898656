-- What examples/imports.sloth imports: a table of tables of words.
return {
	hello = {
		description = "Greets",
		command = function(params)
			log.info("hello " .. params.who)
			return true, "greeted " .. params.who
		end,
	},
}
