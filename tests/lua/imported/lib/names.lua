return { first = "one" }
