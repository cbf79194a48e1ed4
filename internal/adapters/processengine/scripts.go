package processengine

// The scripts use nothing but what every shell has built in. Descriptor 3 is the
// pipe, and what they write there is one of the words below.
//
// parentScript is the game's parent: $1 is the container's directory, $2 the
// shell, $3 gameScript. A signal to the group, which the game gets too, does not
// keep it from writing down how the game ended; the trap, unlike ignoring, is not
// inherited. As the last thing, and as Docker does, it kills all that the game
// has left. Its own complaints, such as "Killed", are not the game's: its standard
// error leads nowhere, and is turned to the log by gameScript.
const parentScript = `trap : HUP INT QUIT TERM
"$2" -c "$3" rtmanager-game "$1"
echo $? >"$1/exit"
echo x >&3
kill -KILL 0`

// gameScript notes which process it is, which it still is as the game: exec
// changes neither the pid nor when the process started.
const gameScript = `exec 2>&1
read -r stat </proc/$$/stat && echo "$stat" >"$1/process" || exit 126
echo b >&3
. "$1/run.sh"`

// The words that come through the pipe.
const (
	wordBegun  = 'b' // the game is about to be executed, and process is written
	wordExited = 'x' // the game has exited, and exit is written
)
