return { of = "the user" }
