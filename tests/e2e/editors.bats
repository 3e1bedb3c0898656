#!/usr/bin/env bats
# sed -i, perl -i, vim, nano, python: how editors and programs replace a file.

bats_require_minimum_version 1.5.0
load lib

document()
{
	mkdir "$M/stacks/prod"
	printf 'name: old\nsize: 1\n' >"$M/stacks/prod/values.yaml"
	before=$(ls -A "$M/stacks/prod")
}

# changed: the document has its new content, and nothing was left beside it.
changed()
{
	[ "$(cat "$M/stacks/prod/values.yaml")" = $'name: new\nsize: 1' ]
	[ "$(ls -A "$M/stacks/prod")" = "$before" ]
	sloth cat /stacks/prod/values.yaml | grep -q 'name: new'
}

@test "sed -i" {
	document
	sed -i s/old/new/ "$M/stacks/prod/values.yaml"
	changed
}

@test "sed -i with a bad result changes nothing" {
	document
	run sed -i 's/^name:/\tname:/' "$M/stacks/prod/values.yaml"
	[ "$status" -ne 0 ]
	[ "$(head -n 1 "$M/stacks/prod/values.yaml")" = 'name: old' ]
}

@test "perl -i" {
	document
	perl -i -pe s/old/new/ "$M/stacks/prod/values.yaml"
	changed
}

@test "vim -es" {
	document
	vim -es -u NONE -N +%s/old/new/ +wq "$M/stacks/prod/values.yaml"
	changed
}

@test "vim with backup files and swap files" {
	document
	vim -es -u NONE -N '+set backup writebackup swapfile backupcopy=no' +%s/old/new/ +wq "$M/stacks/prod/values.yaml"
	rm -f "$M/stacks/prod/values.yaml~"
	changed
}

@test "vim on a workflow in runs/: saving runs it" {
	script hello.sloth 'echo one'
	cp hello.sloth "$M/runs/"
	[ "$(cat "$M/runs/hello/wait")" = success ]
	first=$(readlink "$M/runs/hello")
	vim -es -u NONE -N +%s/one/two/ +wq "$M/runs/hello.sloth"
	[ "$(readlink "$M/runs/hello")" != "$first" ]
	[ "$(cat "$M/runs/hello/wait")" = success ]
	[ "$(cat "$M/runs/hello/tasks/work/log")" = two ]
}

@test "nano" {
	document
	TERM=vt100 timeout 300 python3 - "$M/stacks/prod/values.yaml" <<-'END'
		import os, pty, re, select, sys
		pid, fd = pty.fork()
		if pid == 0:
		    os.execvp("nano", ["nano", "--ignorercfiles", sys.argv[1]])
		seen = b""
		def until(words):
		    global seen
		    while not re.search(words, seen):
		        select.select([fd], [], [])
		        seen += os.read(fd, 65536)
		    seen = b""
		until(rb"Read 2 lines|old")
		os.write(fd, b"\x0b" + b"name: new\r")  # cut the line, write another
		until(rb"new")
		os.write(fd, b"\x0f")
		until(rb"Name to Write")
		os.write(fd, b"\r")
		until(rb"Wrote 2 lines|Error|busy|Invalid")
		os.write(fd, b"\x18")
		try:
		    while os.read(fd, 65536):
		        pass
		except OSError:
		    pass
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	END
	changed
}

@test "python: open, write_text, replace, copy, r+" {
	document
	python3 - "$M/stacks/prod" <<-'END'
		import json, os, pathlib, shutil, sys
		folder = pathlib.Path(sys.argv[1])
		file = folder / "values.yaml"
		assert file.read_text() == "name: old\nsize: 1\n"
		with open(file, "w") as f:
		    f.write("name: a\n")
		    f.write("size: 1\n")
		assert file.read_text() == "name: a\nsize: 1\n"
		file.write_text("name: b\n")
		assert file.read_bytes() == b"name: b\n"
		with open(file, "a") as f:
		    f.write("more: 1\n")
		assert file.read_text() == "name: b\nmore: 1\n"
		with open(file, "r+") as f:
		    f.read()
		    f.seek(0)
		    f.write("name: c\n")
		    f.truncate()
		assert file.read_text() == "name: c\n"
		draft = folder / "values.tmp"
		draft.write_text("name: d\n")
		os.replace(draft, file)
		assert file.read_text() == "name: d\n"
		source = pathlib.Path("source.yaml")
		source.write_text("name: e\n")
		shutil.copy(source, file)
		assert file.read_text() == "name: e\n"
		shutil.copyfile(file, "copy.yaml")
		assert pathlib.Path("copy.yaml").read_text() == "name: e\n"
		json.loads((folder / "status.json").read_text())
		with open(file, "w") as f:
		    f.write("name: new\nsize: 1\n")
		    f.flush()
		    os.fsync(f.fileno())
		    assert file.read_text() == "name: new\nsize: 1\n", "fsync stores"
	END
	changed
}

@test "python: errors arrive at close, and at fsync" {
	document
	python3 - "$M/stacks/prod/values.yaml" <<-'END'
		import errno, os, sys
		for sync in False, True:
		    f = open(sys.argv[1], "w")
		    f.write("a:\n\t- b: [\n")
		    try:
		        if sync:
		            f.flush()
		            os.fsync(f.fileno())
		        else:
		            f.close()
		    except OSError as e:
		        assert e.errno == errno.EINVAL, e
		    else:
		        sys.exit("no error")
		    try:
		        f.close()
		    except OSError:
		        pass
	END
	[ "$(head -n 1 "$M/stacks/prod/values.yaml")" = 'name: old' ]
}

@test "python: mmap, pread, seek, sendfile" {
	document
	python3 - "$M/stacks/prod/values.yaml" <<-'END'
		import errno, mmap, os, sys
		def mapped():
		    # What has changed a moment ago can't be, ENODEV.
		    try:
		        with open(sys.argv[1], "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as m:
		            return m[:]
		    except OSError as error:
		        if error.errno != errno.ENODEV:
		            raise
		while (text := mapped()) is None:
		    pass
		assert text == b"name: old\nsize: 1\n", text
		with open(sys.argv[1], "rb") as f:
		    assert os.pread(f.fileno(), 3, 6) == b"old"
		    assert os.pread(f.fileno(), 100, 10) == b"size: 1\n"
		    assert os.pread(f.fileno(), 100, 1000) == b""
		    assert f.seek(0, os.SEEK_END) == 18
		    out = os.open("sent", os.O_WRONLY | os.O_CREAT)
		    assert os.sendfile(out, f.fileno(), 0, 100) == 18
	END
	cmp sent "$M/stacks/prod/values.yaml"
}
