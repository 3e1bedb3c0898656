return { of = "a folder", called = ... }
