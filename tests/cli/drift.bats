#!/usr/bin/env bats
# stack drift: whole sessions of people whose files are changed behind their backs.

bats_require_minimum_version 1.5.0
load common

before_start()
{
	unwatched
}

R=$BATS_TEST_TMPDIR/host

# The example, on the stack host; its files are below $R.
# shellcheck disable=SC2120
host()
{
	sloth run "$SLOTH_SOURCE/examples/host.sloth" --stack host --set "root=$R" "$@"
}

# Three things that somebody does by hand.
meddle()
{
	chmod 600 "$R/etc/app.conf"
	rm "$R/etc/enabled/app.conf"
	echo hacked >"$R/www/index.html"
}

@test "without drift: exit status 0, and nothing to fix" {
	host
	run -0 sloth stack drift detect host
	[[ $output == '✓ Drift detection completed'*'Drifted Resources:    0'*'In Sync Resources:    6'*'Total Resources:      6' ]] ||
		{ echo "$output"; false; }
	run -0 sloth stack drift show host
	run -0 sloth stack drift fix host
	[ "$output" = '✓ No drift: nothing is to be fixed' ]
	run -0 sloth stack drift fix host --json
	[[ $output == *'"run": null'*'"fixed": []'* ]]
	run -0 sloth stack drift history host
	[ "$output" = '' ]
}

@test "a session: detect, show, the plan, fix, history" {
	host
	meddle
	run -2 sloth stack drift detect host
	[[ $output == *'Drifted Resources:    3'*'In Sync Resources:    3'*'Total Resources:      6'*'Drifted Resources:'* ]] ||
		{ echo "$output"; false; }
	[[ $output == *"  • $R/etc/app.conf: mode (expected: 0644, actual: 0600)"* ]]
	[[ $output == *"  • $R/etc/enabled/app.conf (expected: present, actual: absent)"* ]]
	[[ $output == *"  • $R/www/index.html: content (expected: "*' bytes, sha256 '* ]]
	[[ $output != *hacked* ]]
	[[ $output == *"Run 'sloth stack drift fix host' to auto-correct drift"* ]]
	run -2 sloth stack drift show host
	[[ $output == 'Drift Report for: host'*"Resource: $R/etc/app.conf"*'Type: Configuration Drift'*'Severity: MEDIUM'* ]]
	[[ $output == *'Attribute: mode'*'Expected:  0644'*'Actual:    0600'*'Impact: '*'Suggested Fix:'*"chmod 0644 $R/etc/app.conf"* ]]
	[[ $output != *━* ]] # a pipe
	run -2 sloth stack drift fix host --dry-run
	[[ $output == 'Drift Fix Plan for: host'*"  • $R/etc/app.conf: Change mode from 0600 to 0644"*'Run without --dry-run to apply fixes' ]] ||
		{ echo "$output"; false; }
	[ "$(stat -c %a "$R/etc/app.conf")" = 600 ]
	# Nobody can be asked.
	run -11 sloth stack drift fix host
	[ "$(stat -c %a "$R/etc/app.conf")" = 600 ]
	run -0 sloth stack drift fix host --auto-approve
	[[ $output == 'Fixing drift for stack: host'*"✓ $R/etc/app.conf: Changed mode to 0644"*'Fixed:    3 resources'*'Failed:   0 resources'* ]] ||
		{ echo "$output"; false; }
	[[ $output == *'Skipped:  0 resources'*'✓ All drift corrected' ]]
	[ "$(stat -c %a "$R/etc/app.conf")" = 644 ]
	[ "$(readlink "$R/etc/enabled/app.conf")" = "$R/etc/app.conf" ]
	[ "$(cat "$R/www/index.html")" = '<h1>A small host</h1>' ]
	run -0 sloth stack drift detect host
	run -0 sloth stack drift history host
	[[ ${lines[0]} == TYPE*NAME*PROPERTY*SEVERITY*HOW*RUN && ${#lines[@]} -eq 4 && $output == *fixed* ]]
	run -0 sloth stack drift history host --limit 1
	[ "${#lines[@]}" -eq 2 ]
	run -0 sloth stack drift history host -r "$R/www/index.html" --json
	[[ $output == *'"property": "content"'*'"resolution": "fixed"'* ]]
}

@test "one resource at a time, by its name and by its type" {
	host
	meddle
	run -2 sloth stack drift detect host "$R/etc/app.conf"
	[[ $output == *"$R/etc/app.conf: mode"* && $output != *index.html* ]]
	run -0 sloth stack drift detect host --resource "$R/www"
	sloth stack drift detect host >/dev/null || true
	run -2 sloth stack drift show host "file/$R/www/index.html"
	[[ $output == "Resource: $R/www/index.html (file)"* && $output != *app.conf* ]]
	run -0 sloth stack drift fix host --resource "file/$R/www/index.html" --yes
	[[ $output == *'Fixed:    1 resource'* ]]
	[ "$(cat "$R/www/index.html")" = '<h1>A small host</h1>' ]
	[ "$(stat -c %a "$R/etc/app.conf")" = 600 ]
	run -4 sloth stack drift detect host /no/such
	[[ $output == *'stack host has no resource "/no/such"'* ]]
	run -4 sloth stack drift show host /no/such
	run -4 sloth stack drift fix host /no/such --yes
	run -10 sloth stack drift show host a --resource b
	[[ $output == *'which of them?'* ]]
	run -4 sloth stack drift detect none
	run -10 sloth stack drift detect ../x
}

@test "JSON for programs" {
	host
	meddle
	run -2 sloth stack drift detect host -o json
	[[ $output == '{'*'"findings": ['*'"property": "mode"'*'"stack": "host"'*'"drifted": 3'*'}' ]] || { echo "$output"; false; }
	run -2 sloth stack drift show host "$R/etc/app.conf" --json
	[[ $output == *'"expected": "0644"'* && $output != *index.html* ]]
	run -2 sloth stack drift fix host --dry-run --json
	[[ $output == *'"dry_run": true'*'"plan": ['* ]]
	run -0 --separate-stderr sloth stack drift fix host --auto-approve --json
	[[ $output == '{'*'"run": '*'"status": "success"'*'"fixed": ['*'"failed": []'*'"skipped": []'*'}' ]]
}

@test "ignore, unignore, acknowledge" {
	host
	meddle
	run -10 sloth stack drift ignore host
	[[ $output == *'which resource?'* ]]
	run -0 sloth stack drift ignore host "$R/etc/app.conf" --property mode --until 2w --reason "it's \"tried\" out"
	[ "$output" = "✓ $R/etc/app.conf/mode is ignored" ]
	run -2 sloth stack drift detect host
	[[ $output == *'Drifted Resources:    2'*'Ignored Findings:     1'* && $output != *'app.conf: mode'* ]]
	run -2 sloth stack drift show host
	[[ $output == *Ignored:*"$R/etc/app.conf/mode until "*" by "*"it's \"tried\" out"* ]]
	run -0 sloth stack drift fix host --yes
	[[ $output == *'Fixed:    2 resources'* ]]
	[ "$(stat -c %a "$R/etc/app.conf")" = 600 ]
	run -0 sloth stack drift detect host
	run -0 sloth stack drift unignore host "$R/etc/app.conf" -p mode
	run -4 sloth stack drift unignore host "$R/etc/app.conf" -p mode
	run -2 sloth stack drift detect host
	run -0 sloth stack drift ack host "$R/etc/app.conf" --reason 'on Monday'
	run -2 sloth stack drift show host
	[[ $output == *'acknowledged'*'on Monday'* ]]
	run -10 sloth stack drift ignore host "$R/etc/app.conf" --until yesterday
	run -4 sloth stack drift ignore host "$R/etc/app.conf" --property mod
	[[ $output == *'did you mean "mode"'* ]]
}

@test "adopt: what is there is asked for, until the workflow runs again" {
	host
	chmod 600 "$R/etc/app.conf"
	run -2 sloth stack drift detect host
	run -0 sloth stack drift adopt host "$R/etc/app.conf"
	run -0 sloth stack drift detect host
	[ "$(stat -c %a "$R/etc/app.conf")" = 600 ]
	run -0 sloth stack drift history host
	[[ $output == *adopted* ]]
	run -4 sloth stack drift adopt host "$R/etc/app.conf"
	host
	[ "$(stat -c %a "$R/etc/app.conf")" = 644 ]
}

@test "what can't be mended is told, and the exit status says so" {
	host
	rm "$R/www/index.html"
	mkdir "$R/www/index.html"
	chmod 600 "$R/etc/app.conf"
	run -1 sloth stack drift fix host --auto-approve
	[[ $output == *"✗ $R/www/index.html: "*'Fixed:    1 resource'*'Failed:   1 resource'* ]] || { echo "$output"; false; }
	[[ $output != *'All drift corrected'* ]]
	run -2 sloth stack drift show host
	[[ $output == *'Failed Resources:     1'*"Resource: $R/www/index.html (file)"*'Failed: '* ]] || { echo "$output"; false; }
	run -1 --separate-stderr sloth stack drift fix host --yes --json
	[[ $output == *'"fixed": []'*'"failed": ['*'"error": "'*'is a directory'* ]] || { echo "$output"; false; }
	# Another look at something else leaves it so.
	run -0 sloth stack drift detect host "$R/etc/app.conf"
	[ "$(stat -c %a "$R/etc/app.conf")" = 644 ]
	[ -d "$R/www/index.html" ]
}

@test "two resources of one name" {
	cat >two.sloth <<-END
		for _, type in ipairs({ "one", "other" }) do
			resource.define(type, { key = "name", properties = { name = { kind = "string" }, n = { kind = "integer" } },
				read = function(desired) return { n = tonumber(fs.read("$PWD/" .. type)) } end,
				apply = function(desired) return fs.write("$PWD/" .. type, desired.n) end })
		end
		task("t"):command(function()
			for _, type in ipairs({ "one", "other" }) do
				assert(resource[type]("same", { n = 1 }))
			end
		end)
	END
	echo 2 | tee one >other
	sloth run two.sloth --stack two
	echo 3 | tee one >other
	run -2 sloth stack drift detect two
	[[ $output == *'  • one/same: n (expected: 1, actual: 3)'*'  • other/same: n (expected: 1, actual: 3)'* ]] || { echo "$output"; false; }
	run -10 sloth stack drift detect two same
	[[ $output == *TYPE/NAME* ]]
	run -2 sloth stack drift show two other/same
	[[ $output == 'Resource: same (other)'* ]]
	run -0 sloth stack drift ignore two one/same/n
	run -2 sloth stack drift show two other/same
	run -0 sloth stack drift show two one/same
}

@test "the older names" {
	host
	run -0 sloth stack state drift host
	meddle
	run -2 sloth stack state drift host --output json
	[[ $output == *'"drifted": 3'* ]]
	run -2 sloth state workflow drift host
	[[ $output == *'Drifted Resources:    3'* ]]
	run -2 sloth state workflow drift 1 -o json
	run -4 sloth state workflow drift none
}

@test "completion: verbs, stacks, and what has drifted" {
	host
	meddle
	sloth stack drift detect host >/dev/null || true
	[[ $(sloth complete -- stack drift '') == *detect*show*fix*ignore*adopt*history* ]]
	[ "$(sloth complete -- stack drift fix '')" = host ]
	[[ $(sloth complete -- stack drift fix host '') == *"$R/etc/app.conf"*"$R/www/index.html"* ]]
	[ "$(sloth complete -- stack drift fix host --resource "$R/www")" = "$R/www/index.html" ]
	[[ $(sloth complete -- stack drift fix --) == *--auto-approve*--dry-run* || $(sloth complete -- stack drift fix --) == *--dry-run*--auto-approve* ]]
	[ "$(sloth complete -- stack drift fix none '')" = '' ]
}

@test "an output of another stack that was used, and is another one by now" {
	cat >net.sloth <<-'END'
		task("n"):command(function() stack.set_output("vpc", values.vpc) end)
	END
	cat >app.sloth <<-'END'
		task("a"):command(function() assert(resource.output{ name = "vpc", stack = "network", output = "vpc" }) end)
	END
	sloth run net.sloth --stack network --set vpc=v-1
	sloth run app.sloth --stack app
	run -0 sloth stack drift detect app
	sloth run net.sloth --stack network --set vpc=v-2
	run -2 sloth stack drift detect app
	[[ $output == *'  • vpc: value (expected: v-1, actual: v-2)'* ]] || { echo "$output"; false; }
	run -2 sloth stack drift show app
	[[ $output == *'Type: Dependency Drift'* ]]
	run -1 sloth stack drift fix app --auto-approve
	[[ $output == *'which has to come from elsewhere'* ]]
	sloth run app.sloth --stack app
	run -0 sloth stack drift detect app
	sloth stack delete network --force
	run -2 sloth stack drift detect app
	[[ $output == *'  • vpc (expected: present, actual: absent)'* ]] || { echo "$output"; false; }
}

@test "keys, archives, checkouts, links and ssh keys that somebody changed" {
	command -v git
	export GIT_CONFIG_GLOBAL=/dev/null GIT_TEST_FSYNC=0
	mkdir -p "$R/etc" app-1 dots/zsh
	printf '[PHP]\nmemory_limit=1M\n' >"$R/etc/php.ini"
	echo 1 >app-1/f
	tar -czf app.tgz app-1
	touch dots/zsh/.zshrc
	git init -q -b main repo
	echo 1 >repo/f
	git -C repo add f
	git -C repo -c user.name=a -c user.email=a@x commit -qm one
	cat >parts.sloth <<-'END'
		local root, here = values.root, values.here
		task("parts"):command(function()
			assert(resource.ini{ name = "memory", path = root .. "/etc/php.ini", section = "PHP", key = "memory_limit", value = "512M" })
			assert(file_ops.lineinfile(root .. "/etc/php.ini", "; ours"))
			assert(resource.archive{ path = root .. "/app", source = here .. "/app.tgz", strip = 1 })
			assert(resource.git{ path = root .. "/code", url = here .. "/repo" })
			assert(resource.stow{ name = "zsh", source = here .. "/dots", target = root .. "/home" })
			assert(resource.ssh_key{ name = "me", path = root .. "/keys", key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEO1yW40ZrnZe1t/P9Mrgw0vk774yhJj8kEMbHFhEcgX me" })
		end)
	END
	sloth run parts.sloth --stack parts --set "root=$R" --set "here=$PWD"
	run -0 sloth stack drift detect parts
	[[ $output == *'In Sync Resources:    6'* ]] || { echo "$output"; false; }
	sed -i 's/512M/2M/; /ours/d' "$R/etc/php.ini"
	echo x >"$R/app/f"
	git -C "$R/code" checkout -q --detach
	rm "$R/home/.zshrc"
	: >"$R/keys"
	run -2 sloth stack drift detect parts
	[[ $output == *'Drifted Resources:    6'*"  • $R/app: entries (expected: 1 thing as it came, actual: f changed)"*'memory: value (expected: 512M, actual: 2M)'* ]] ||
		{ echo "$output"; false; }
	run -0 sloth stack drift fix parts --auto-approve
	[[ $output == *'Fixed:    6 resources'* ]] || { echo "$output"; false; }
	[ "$(cat "$R/etc/php.ini" "$R/app/f")" = $'[PHP]\nmemory_limit=512M\n; ours\n1' ]
	[ "$(git -C "$R/code" branch --show-current)" = main ]
	# What somebody began there is left.
	echo mine >"$R/code/f"
	run -1 sloth stack drift fix parts --auto-approve
	[[ $output == *'has local changes (f changed), and is left as it is'* ]] || { echo "$output"; false; }
	[ "$(cat "$R/code/f")" = mine ]
}

@test "what file_ops did is put back by a rollback; a line with a secret in it is nobody's" {
	printf 'Port 22\n' >sshd
	printf '[a]\nb=1\n' >x.ini
	echo old >copied
	echo going >going
	printf s3cretvalue | sloth secrets set word
	cat >lines.sloth <<-'END'
		local here = values.here
		task("a"):command(function()
			assert(resource.ini{ name = "b", path = here .. "/x.ini", section = "a", key = "b", value = "2" })
			assert(file_ops.lineinfile(here .. "/x.ini", "; ours").changed)
			assert(file_ops.lineinfile(here .. "/sshd", "Port 23", { regexp = "^Port" }).changed)
			assert(file_ops.blockinfile{ path = here .. "/new/hosts", content = "1 a" }.changed)
			assert(file_ops.copy{ content = "new\n", dest = here .. "/copied" }.changed)
			assert(file_ops.copy(here .. "/x.ini", here .. "/made").changed)
			assert(file_ops.chmod(here .. "/copied", "0600").changed)
			assert(file_ops.lineinfile(here .. "/copied", "more").changed)
			assert(file_ops.replace(here .. "/copied", "^more", "less").changed)
			assert(file_ops.directory(here .. "/deep/folder", "0750").changed)
			assert(file_ops.symlink("x.ini", here .. "/link").changed)
			assert(file_ops.remove(here .. "/going").changed)
			assert(not values.secret or file_ops.lineinfile(here .. "/pw", "pw=" .. secret.get("word")).changed)
			assert(not values.secret or not file_ops.lineinfile(here .. "/pw", "pw=" .. secret.get("word")).changed)
		end)
		task("b"):depends_on("a"):command(function() assert(values.ok) end)
		workflow.define("lines"):tasks({ "a", "b" }):config({ on_failure = "rollback", require_lock = true })
	END
	run sloth run lines.sloth --stack lines --set "here=$PWD"
	[[ $output == *'rolled_back'* ]] || { echo "$output"; false; }
	[ "$(cat sshd x.ini)" = $'Port 22\n[a]\nb=1' ]
	[ ! -e new ] && [ ! -e made ] && [ ! -e deep ] && [ ! -L link ]
	[ "$(cat copied going; stat -c %a copied)" = $'old\ngoing\n644' ]
	sloth run lines.sloth --stack lines --set "here=$PWD" --set ok=true --set secret=true
	[ "$(cat pw)" = pw=s3cretvalue ]
	[ "$(cat sshd)" = 'Port 23' ]
	run -0 sloth stack drift detect lines
	[[ $output == *'In Sync Resources:    9'* ]] || { echo "$output"; false; }
	run -0 sloth stack resources lines --json
	[[ $output != *s3cretvalue* ]]
}
