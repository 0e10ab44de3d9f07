return { title = "x" } --! and it returns something else
