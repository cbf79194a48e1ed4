package processengine

// The scripts use only shell builtins. Descriptor 3 is the pipe, to which they write the
// messages below.
//
// parentScript is the parent of the game. $1 is the directory of the container, $2 the shell,
// $3 gameScript. The trap keeps the script alive when its process group receives a signal, so
// that it records the exit code; unlike an ignored signal, a trap is not inherited by the
// game. As its last step the script kills all processes that the game has left, as Docker
// does. Its standard error is discarded, so messages of the shell such as "Killed" are not in
// the game's log; gameScript redirects standard error to the log.
const parentScript = `trap : HUP INT QUIT TERM
"$2" -c "$3" rtmanager-game "$1"
echo $? >"$1/exit"
echo x >&3
kill -KILL 0`

// gameScript records its own process and then becomes the game: exec changes neither the pid
// nor the start time.
const gameScript = `exec 2>&1
read -r stat </proc/$$/stat && echo "$stat" >"$1/process" || exit 126
echo b >&3
. "$1/run.sh"`

// The messages in the pipe.
const (
	messageStarted = 'b' // the file process is written, and the game is executed next
	messageExited  = 'x' // the game has exited, and the file exit is written
)
