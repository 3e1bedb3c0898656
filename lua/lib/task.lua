-- SPDX-License-Identifier: MIT
-- What happens within one try of a task, its hooks, and whether there is another try. When tries start and end is
-- task.c's.
local core = ...
local held = core.library("held")
local task = {}

local LEAVE = {} -- marks what os.exit raises

function task.leave(code)
	if code == nil or code == true then
		code = 0
	elseif code == false then
		code = 1
	end
	return setmetatable({ mark = LEAVE, code = code }, { __tostring = function() return "os.exit(" .. tostring(code) .. ")" end })
end

-- this, and this.workdir. Functions take their object or not: this.workdir.get() and this.workdir:get().
local function workdir_of(path)
	local functions = {}
	function functions.get()
		return path
	end
	function functions.exists()
		return core.exists(path)
	end
	function functions.ensure()
		core.make_directories(path)
		return path
	end
	function functions.cleanup()
		core.remove_tree(path)
		return true
	end
	function functions.recreate()
		core.remove_tree(path)
		core.make_directories(path)
		return path
	end
	return setmetatable({}, {
		__index = function(_, key)
			local fn = functions[key]
			if not fn then
				core.fail("this.workdir has no function '" .. tostring(key) .. "' (get, ensure, exists, cleanup, recreate)")
			end
			return fn
		end,
		__tostring = function() return path end,
		__concat = function(a, b) return tostring(a) .. tostring(b) end,
		__name = "workdir",
		__metatable = false,
	})
end

local function this_of(spec, try)
	local _, path = core.task()
	local run = core.run()
	return {
		name = spec.name, agent = "local", workdir = workdir_of(path),
		try = try, run = run.run, stack = run.stack, token = run.token,
	}, path
end

local function params_of(spec, path)
	local params = { task_name = spec.name, group_name = spec.group, workdir = path }
	for key, value in pairs(spec.params or {}) do
		params[key] = type(value) == "table" and value or tostring(value)
	end
	return params
end

-- A function whose first parameter is called params or p is of the old style: without `this`.
local function call(fn, this, params, ...)
	local first = core.described(fn)
	if first == "params" or first == "p" then
		return fn(params, ...)
	end
	return fn(this, params, ...)
end

local function has_place(message)
	return message:find("^[^\n:]+:%d+: ") ~= nil
end

-- The traceback, as far as it is the workflow's.
local function way_there()
	local lines = {}
	for line in core.traceback(3):gmatch("[^\n]+") do
		if not line:find("[sloth:", 1, true) and not line:find("[C]:", 1, true) and not line:find("(...tail calls...)", 1, true) then
			lines[#lines + 1] = line
		end
	end
	return #lines > 1 and "\n" .. table.concat(lines, "\n") or ""
end

-- What a table says that was raised: its message, or what it holds.
local function text_of(err)
	local text = err.message or err.error
	if text ~= nil or core.metatable(err) then
		return tostring(text ~= nil and text or err)
	end
	local ok, encoded = pcall(json.encode, err)
	return ok and encoded or tostring(err)
end

-- The handler of errors in a task's code: message with its place, whether it is a mistake in the program, the way there.
local function on_error(err)
	local raised = core.was_raised(err)
	if type(err) == "table" then
		if err.mark == LEAVE then
			return err
		end
		return { text = text_of(err), permanent = err.permanent, exit = err.exit_code, signal = err.signal, signal_name = err.signal_name }
	end
	local text = tostring(err)
	if core.ending() then
		return { text = text } -- a timeout or a cancel: nothing that the program did
	end
	if type(err) == "string" and not has_place(text) then
		local where, line = core.where()
		if line > 0 then
			text = where .. ": " .. text
		end
	end
	if not raised or text:find("assertion failed!", 1, true) then
		text = core.library("teach").explain(text)
	end
	return { text = text, language = not raised, traceback = way_there() }
end

local function guarded(fn, ...)
	local results = table.pack(xpcall(fn, on_error, ...))
	if not results[1] and type(results[2]) ~= "table" then
		results[2] = { text = core.memory_text(tostring(results[2])), language = true } -- no memory was left for the handler
	end
	return results
end

local function last_line(text)
	return text:match("([^\n]+)\n*$")
end

-- What the script wrote to $SLOTH_OUTPUT.
local function with_outputs(outcome)
	local text, problem = core.take_output()
	if text then
		outcome.outputs, problem = core.library("outputs").parse(text)
	end
	if problem then
		return { status = "failed", error = problem }
	elseif text and outcome.outputs.changed == "false" then
		outcome.status = "unchanged"
	end
	return outcome
end

-- Why a command has failed, as an outcome; nil: it has not.
local function failure_of(raw)
	if raw.exit_code == 0 then
		return nil
	end
	local text = raw.signal and "ended by " .. raw.signal_text or "exit status " .. raw.exit_code
	local last = last_line(raw.stderr)
	return { status = "failed", error = last and text .. ": " .. last or text, exit = not raw.signal and raw.exit_code or nil, signal = raw.signal, signal_name = raw.signal_name }
end

-- A shell script: success when it exits with 0.
local function run_script(spec, script)
	return failure_of(core.exec({ command = script, stdin = spec.stdin })) or with_outputs({ status = "success" })
end

local function failed_by(problem, prefix)
	if problem.mark == LEAVE then
		if problem.code == 0 then
			return { status = "success" }
		end
		return { status = "failed", error = tostring(problem), exit = problem.code }
	end
	if problem.traceback then
		core.log(problem.text .. problem.traceback .. "\n")
	end
	return {
		status = "failed", error = (prefix or "") .. problem.text,
		permanent = problem.permanent, language = problem.language, exit = problem.exit,
		signal = problem.signal, signal_name = problem.signal_name,
	}
end

-- Of a module's result that is handed on as it came ("return file_ops.copy(…)") the output is whether something changed.
local function outputs_of(value)
	if type(value) == "table" and getmetatable(value) == false then
		return { changed = value.changed }
	end
	return value
end

-- What a command function gave back.
local function outcome_of(results)
	local ok, message, outputs = results[2], results[3], outputs_of(results[4])
	if not results[1] then
		return failed_by(ok)
	end
	if type(ok) == "table" then
		-- A table with success, failed or changed, or the result of a module.
		local t = ok
		ok, outputs = t.success, outputs or t.outputs
		if ok == nil and t.failed ~= nil then
			ok = not t.failed
		end
		if t.changed == false and outputs == nil then
			outputs = { changed = false }
		end
		if message == nil then
			message = t.message
		end
		if ok == nil and results.n >= 2 and t.success == nil then
			ok = true
		end
		if ok == false and message == nil then
			message = t.error or t.stderr
		end
	end
	if outputs ~= nil and type(outputs) ~= "table" then
		return { status = "failed", error = "the outputs (third result) must be a table, not a " .. type(outputs), language = true }
	end
	if message ~= nil then
		message = tostring(message)
	end
	if ok == nil or ok then
		local unchanged = outputs and outputs.changed == false
		return { status = unchanged and "unchanged" or "success", message = message, outputs = outputs }
	end
	return { status = "failed", error = message or "the task returned false", outputs = outputs }
end

-- A condition: function, shell command, boolean. true or false, or nil and an outcome.
local function holds(condition, spec, this, params, deps)
	local check = condition.check
	if type(check) == "boolean" then
		return check
	elseif type(check) == "string" then
		return core.exec({ command = check }).exit_code == 0
	end
	local results = guarded(call, check, this, params, deps)
	if not results[1] then
		return nil, failed_by(results[2], "run_if or abort_if: ")
	end
	return results[2] and true or false
end

local function run_function(fn, this, params, deps)
	return outcome_of(guarded(call, fn, this, params, deps))
end

local function run_hook(spec, name, this, params, ...)
	if not spec[name] then
		return
	end
	local results = guarded(call, spec[name], this, params, ...)
	if not results[1] and results[2].mark ~= LEAVE then
		core.hook_failed(name, tostring(results[2].text))
		core.log(name .. " failed: " .. tostring(results[2].text) .. "\n")
	end
end

-- delegate_to: nil, or the outcome of a task that can't run here.
local function remote_problem(spec, this, params, deps)
	local results = guarded(core.library("delegate").problem, spec, function(fn)
		return call(fn, this, params, deps)
	end)
	if not results[1] then
		return failed_by(results[2], "delegate_to: ")
	elseif results[2] then
		return { status = "failed", error = results[2], permanent = true }
	end
end

local function one_try(spec, try, deps)
	if type(spec.command) == "string" and not spec.has_functions then
		return run_script(spec, spec.command)
	end
	local this, path = this_of(spec, try)
	local params = params_of(spec, path)
	deps = deps or {}
	if spec.run_if then
		local yes, problem = holds(spec.run_if, spec, this, params, deps)
		if problem then
			return problem
		elseif not yes then
			run_hook(spec, "on_skip", this, params)
			return { status = "skipped", message = "run_if is false" }
		end
	end
	if spec.abort_if then
		local yes, problem = holds(spec.abort_if, spec, this, params, deps)
		if problem then
			return problem
		elseif yes then
			return { status = "failed", error = "abort_if is true", aborts = true }
		end
	end
	if spec.remote then
		local problem = remote_problem(spec, this, params, deps)
		if problem then
			return problem
		end
	end
	if spec.consumes then
		local problem = core.library("artifacts").fetch(spec.consumes)
		if problem then
			return { status = "failed", error = problem }
		end
	end
	if try > 1 and spec.on_retry then
		local results = guarded(call, spec.on_retry, this, params, spec.last_error, try)
		if not results[1] then
			core.log("on_retry: " .. tostring(results[2].text or results[2]) .. "\n")
		end
	end
	if spec.pre_hook then
		local before = run_function(spec.pre_hook, this, params, deps)
		if before.status == "failed" then
			before.error = "pre_hook: " .. before.error
			return before
		end
	end
	local outcome
	if type(spec.command) == "string" then
		outcome = run_script(spec, spec.command)
	else
		outcome = run_function(spec.command, this, params, deps)
	end
	if spec.outputs and outcome.status ~= "failed" then
		local missing = core.library("outputs").missing(spec.outputs, outcome.outputs)
		if missing then
			return { status = "failed", error = missing, outputs = outcome.outputs }
		end
	end
	if spec.post_hook and outcome.status ~= "failed" then
		local after = run_function(spec.post_hook, this, params, outcome.outputs or {})
		if after.status == "failed" then
			after.error = "post_hook: " .. after.error
			return after
		end
	end
	if spec.artifacts and outcome.status ~= "failed" then
		local problem = core.library("artifacts").save(spec.artifacts, spec.sensitive)
		if problem then
			return { status = "failed", error = problem, outputs = outcome.outputs }
		end
	end
	return outcome
end

local HOOKS = { "remote", "run_if", "abort_if", "on_retry", "pre_hook", "post_hook", "outputs", "consumes", "artifacts" } -- what a bare script has not

-- Within another task's function: ok, message, outputs.
function task.inline(spec)
	local this, path = this_of(spec)
	local params = params_of(spec, path)
	local outcome = spec.remote and remote_problem(spec, this, params, {})
	if not outcome and type(spec.command) == "function" then
		outcome = run_function(spec.command, this, params, {})
	elseif not outcome then
		outcome = run_script(spec, spec.command)
	end
	return outcome.status ~= "failed", outcome.message or outcome.error, outcome.outputs
end

-- What was told on the way and not waited for is part of it.
local function with_reports(outcome)
	local problem = core.reported()
	if problem and outcome.status ~= "failed" then
		return { status = "failed", error = problem, outputs = outcome.outputs }
	end
	return outcome
end

-- In a fiber of its own.
function task.try(spec, try, deps)
	if spec.has_functions == nil then
		spec.has_functions = false
		for _, name in ipairs(HOOKS) do
			spec.has_functions = spec.has_functions or spec[name] ~= nil
		end
	end
	spec.last_try = try
	local _ <close> = held.until_end
	core.outcome(with_reports(one_try(spec, try, deps)))
end

-- How it came: "timeout", "cancelled", "signal", "exit" (of a command), or "error".
local function reason_of(status, outcome)
	if status == "timed_out" then
		return "timeout"
	elseif status == "cancelled" then
		return "cancelled"
	end
	return outcome and (outcome.signal and "signal" or outcome.exit and "exit") or "error"
end

local function error_of(spec, status, text, outcome, try)
	local reason = reason_of(status, outcome)
	local known = (reason == "signal" or reason == "exit") and outcome or {}
	return setmetatable({
		error = text, message = text, task = spec.name, try = try, reason = reason,
		exit_code = known.exit, signal = known.signal, signal_name = known.signal_name,
	}, { __metatable = false, __tostring = function() return text end, __concat = function(a, b) return tostring(a) .. tostring(b) end })
end

local function list_has(list, value)
	if type(list) ~= "table" then
		return list == value
	end
	for _, item in ipairs(list) do
		if item == value then
			return true
		end
	end
	return false
end

-- Whether retry_on names this failure; without retry_on every one is.
local function is_wanted(on, status, outcome)
	if not on then
		return true
	end
	if on.timeout and status == "timed_out" then
		return true
	elseif on.signal and outcome.signal then
		return on.signal == true or list_has(on.signal, outcome.signal) or list_has(on.signal, outcome.signal_name)
	elseif on.exit and outcome.exit and list_has(on.exit, outcome.exit) then
		return true
	end
	return type(on.error) == "string" and status == "failed" and (outcome.error or ""):find(on.error) ~= nil
end

local waits = {
	exponential = function(policy, k) return policy.base * 2.0 ^ (k - 1) end,
	linear = function(policy, k) return policy.base * k end,
	fixed = function(policy) return policy.base end,
}

-- What may be done twice is, once, when a signal ended it that nobody of this run sent: where it says nothing of retries.
local once_more = { count = 1, strategy = "fixed", base = 1000, cap = 1000, retry_on = { signal = true } }

-- Milliseconds until try `try` + 1, or nil: that was the last.
local function wait_until_next(spec, policy, status, outcome, try)
	if not policy or try > policy.count or outcome.language or outcome.permanent then
		return nil
	end
	if policy.never and outcome.exit and list_has(policy.never.exit, outcome.exit) then
		return nil
	elseif not is_wanted(policy.retry_on, status, outcome) then
		return nil
	end
	spec.last_error = error_of(spec, status, outcome.error or status, outcome, try)
	held.drop(spec.name)
	return math.min(policy.cap, waits[policy.strategy](policy, try))
end

function task.again(spec, status, outcome, try)
	local policy = spec.retries or spec.idempotent and status == "failed" and once_more or nil
	return wait_until_next(spec, policy, status, outcome, try)
end

-- After the last try, once. A hook that fails is recorded and changes no result.
function task.hooks(spec, status, outcome, text)
	if not (spec.on_timeout or spec.on_success or spec.on_failure or spec.on_complete) then
		return
	end
	local _ <close> = held.until_end
	local this, path = this_of(spec, spec.last_try)
	local params = params_of(spec, path)
	local ok = status == "success" or status == "unchanged"
	local outputs = outcome and outcome.outputs or {}
	local err = not ok and error_of(spec, status, text or status, outcome, spec.last_try) or nil
	if status == "timed_out" then
		run_hook(spec, "on_timeout", this, params, err)
	end
	if ok then
		run_hook(spec, "on_success", this, params, outputs)
	else
		run_hook(spec, "on_failure", this, params, err)
	end
	run_hook(spec, "on_complete", this, params, ok, ok and outputs or err)
end

local function undo_once(spec, this, params, outputs)
	if type(spec.undo) == "function" then
		return run_function(spec.undo, this, params, outputs)
	end
	return failure_of(core.exec({ command = spec.undo })) or { status = "success" }
end

-- What the task changed is put back, thing by thing: nothing, or the sentence why not all of it is.
local function put_back(spec, number)
	core.undo_told("running", number)
	local done, left, final = core.library("images").undo({ of = spec.name })
	local problem = not done and left or nil
	if done and (left[1] or final[1]) then
		problem = table.concat(table.move(final, 1, #final, #left + 1, left), "; ")
	end
	core.undo_told(problem and "failed" or "success", number, problem)
	return problem
end

-- What the task did is undone: nothing, or the sentence why it is not. Each try is told; `number` is the first one's.
function task.undo(spec, number, outputs, by_images)
	if by_images then
		return put_back(spec, number)
	end
	local _ <close> = held.until_end
	local this, path = this_of(spec, number)
	local params, tries = params_of(spec, path), 0
	while true do
		core.undo_told("running", number)
		local outcome = undo_once(spec, this, params, outputs or {})
		if outcome.status ~= "failed" then
			core.undo_told("success", number)
			return
		end
		core.undo_told("failed", number, outcome.error)
		tries = tries + 1
		local wait = wait_until_next(spec, spec.retries, "failed", outcome, tries)
		if not wait or core.ending() then
			return outcome.error
		end
		core.sleep(wait)
		number = number + 1
	end
end

-- What a task of an earlier run did is undone by what it says of that: as the function of a task of this run.
function task.undo_earlier(run, spec, this)
	local before, message = core.call("task.undo", { run = run, task = spec.name })
	if not before then
		return false, message
	end
	local _, path = core.task()
	this.name = spec.name
	local outcome = undo_once(spec, this, params_of(spec, path), before.outputs)
	if outcome.status == "failed" then
		return false, outcome.error
	end
	core.log(spec.name .. " is undone by its own undo\n")
	local ok
	ok, message = core.call("task.undone", { run = run, task = spec.name })
	return ok and true or false, message
end

-- The run's stack becomes what it was before the run: the number of the new version, or a sentence.
function task.restore()
	local answer, problem = core.call("run.restore", {})
	if answer then
		core.library("images").settle()
	end
	return answer and answer.version or problem
end

-- The workflow's hooks. on_start: nothing, or a sentence that refuses the run.
function task.start(fn)
	local results = guarded(fn)
	if not results[1] then
		return tostring(results[2].text or results[2])
	elseif results[2] == false then
		return results[3] and tostring(results[3]) or "returned false"
	end
end

function task.complete(fn, success, results)
	local records = {}
	local by_task = {}
	for i, record in ipairs(results) do
		local outputs = record.outputs or {}
		record.name = record.task_name
		record.outputs = outputs
		records[i] = setmetatable(record, { __index = outputs })
		by_task[record.task_name] = record
	end
	setmetatable(records, { __index = by_task })
	local returned = guarded(fn, success, records)
	if not returned[1] then
		core.log("on_complete failed: " .. tostring(returned[2].text or returned[2]) .. "\n")
	end
end

return task
