#!/bin/bash
# SPDX-License-Identifier: MIT
# pulp-task on a terminal, of 80 and of 40 columns: tables that fit, a progress
# bar that is drawn in place, also when the terminal changes its size, colour
# unless NO_COLOR, and nothing that a task has written acts on the terminal.
. "${top_srcdir:?}/tests/lib/env.sh"
. "$top_srcdir/tests/lib/pg.sh"
. "$top_srcdir/tests/lib/drive.sh"
command -v tmux >/dev/null || skip_all 'tmux is missing: apt-get install tmux'

serve w1@host.example.org

# A tmux server of the test's own, a new one for each terminal.
tmux_do()
{
	tmux -S "$TEST_DIR/tmux$tmux_number" -f /dev/null "$@"
}
tmux_number=0
at_exit 'tmux_do kill-server 2>/dev/null'

# terminal COLUMNS COMMAND...: runs it there; its exit status lands in the file "status". The title
# that is set behind it comes through the terminal: when tmux knows it, it has seen all before it.
terminal()
{
	local columns=$1 command

	shift
	rm -f status
	command=$(printf '%q ' "$@")
	tmux_do kill-server 2>/dev/null
	tmux_number=$((tmux_number + 1))
	tmux_do new-session -d -s t -x "$columns" -y 24 \
		"sh -c 'trap : INT; $command; echo \$? >$TEST_DIR/status; printf \"\\033]2;over\\007\"; exec tail -f /dev/null'"
}

# Until the command has ended and all that it wrote is on the screen.
over()
{
	wait_for '[ "$(tmux_do display-message -p -t t "#{pane_title}")" = over ]' || bail 'the command does not end'
}

screen()
{
	tmux_do capture-pane -p -t t "$@"
}

widest()
{
	screen | wc -L # an awk may count bytes
}

# resize COLUMNS: changes the width. tmux tells the program only a moment after it has
# broken the lines anew; what is written in between is lost, so there is nothing.
resize()
{
	local tty pid

	tty=$(tmux_do display-message -p -t t '#{pane_tty}')
	pid=$(ps -o pid= -o comm= -t "$tty" | awk '$2 == "pulp-task" { print $1 }')
	kill -STOP "$pid"
	tmux_do resize-window -t t -x "$1"
	wait_for "stty -F $tty size | grep -q ' $1\$'"
	kill -CONT "$pid"
}

id=$(pulp-task dispatch example.greet)
long=$(pulp-task dispatch "example.a_task_with_a_name_that_is_much_too_long_for_a_narrow_terminal")
claim 2
finish "$long" failed '{"reason": "A reason that is rather long \u001b[2J and does not fit at all beside the rest of it."}' >/dev/null

for columns in 80 100 120; do
	terminal $columns pulp-task list
	over
	like "$(screen)" "ID +NAME +STATE +AGE +DURATION +WORKER/REASON" "a table in $columns columns"
	[ "$(widest)" -le "$columns" ]
	ok $? 'fits'
	is "$(screen | grep -c .)" 3 'one line for each task'
done
terminal 40 pulp-task list
over
is "$(screen | sed 's/ *$//')" "ID                 NAME          STATE
${long:0:18} example.a_tas failed
${id:0:18} example.greet running" 'what matters most in 40'
terminal 120 pulp-task list
over
like "$(screen)" "$id +example.greet +running +[0-9].* w1@host" 'with the id in full where there is room'
unlike "$(screen)" $'\033' 'no escape sequence of a task'
terminal 40 pulp-task workers
over
like "$(screen)" 'NAME +ALIVE +RUNNING +SLOTS' 'a table in 40 columns'
[ "$(widest)" -le 40 ]
ok $? 'fits'

# --- the bar ---

report "$id" files 'Downloading files' running 450 1000
for columns in 80 40; do
	terminal "$columns" pulp-task wait "$id"
	wait_for 'screen | grep -q " 45 % 450/1000"'
	ok $? "a bar in $columns columns"
	like "$(screen)" $'\n  Downloa.* ?[█]+[░]+  45 % 450/1000' 'with message, percentage and numbers'
	like "$(screen)" '^example.greet running [0-9.]+ m?s' 'under the task and its state'
	[ "$(widest)" -le "$columns" ]
	ok $? 'fits'
	is "$(screen | grep -c %)" 1 'is there once'
done
report "$id" files 'Downloading files' running 500 1000
wait_for 'screen | grep -q " 50 % 500/1000"'
ok $? 'moves'
is "$(screen | grep -c .)" 2 'in place'
resize 100
report "$id" files 'Downloading files' running 600 1000
wait_for 'screen | grep -q " 60 % 600/1000"'
is "$(screen | grep -c .)" 2 'also after the terminal became wider'
[ "$(widest)" -gt 60 ]
ok $? 'and uses its width'
resize 45
report "$id" files 'Downloading files' running 700 1000
wait_for 'screen | grep -q " 70 % 700/1000"'
is "$(screen | grep -c .)" 2 'and after it became narrower'
[ "$(widest)" -le 45 ]
ok $? 'fits again'
report "$id" files 'Downloading files' completed 1000 1000
finish "$id" completed >/dev/null
over
is "$(cat status)" 0 'ends with the task'
is "$(screen | tr -d '\n' | sed -E 's/ after .*/ after/')" "$id completed after" 'and leaves its last state alone'

id=$(pulp-task dispatch example.greet)
terminal 80 pulp-task wait "$id"
wait_for 'screen | grep -q waiting'
tmux_do send-keys -t t C-c
over
is "$(cat status)" 130 'Ctrl-C gives 130'
like "$(screen)" 'interrupted; the task goes on' 'and says that the task goes on'

pulp-task cancel "$id" >/dev/null
register w2@host 1 core c_core
terminal 80 pulp-task purge
wait_for 'screen | grep -q waiting'
purge=$(sql "select pulp_id from core_task where name = 'core.purge'")
claim
report "$purge" purge.tasks.key.core.Task 'Purged tasks' completed 7 7
finish "$purge" completed >/dev/null
over
like "$(screen)" $'^'"$purge"$' completed after .*\nProgress +Purged tasks: 7 of 7 \\(100 %\\)\n?$' 'a purge leaves its counts'
register w1@host.example.org 8

# --- colour ---

terminal 80 env NO_COLOR= pulp-task wait "$long"
over
like "$(screen -e)" $'\033\[31mfailed' 'a failed task is red'
like "$(screen -J)" 'rather long \\x1b\[2J and' 'what a task has written does not act'
terminal 80 env NO_COLOR=1 pulp-task wait "$long"
over
unlike "$(screen -e)" $'\033' 'not with NO_COLOR'
id=$(pulp-task dispatch example.greet)
claim
say "$id" 1 'one\n\033[31mtwo\033[2J\007\tthree\n'
terminal 80 pulp-task logs "$id"
over
like "$(screen)" $'^one\n.x1b.31mtwo.x1b.2J.x07 +three' 'logs show control characters'
is "$(pulp-task logs "$id")" $'one\n\033[31mtwo\033[2J\007\tthree' 'but pass them on to what is no terminal'
done_testing
