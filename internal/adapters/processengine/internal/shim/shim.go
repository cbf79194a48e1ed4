package shim

import (
	"os/exec"
	"strconv"
)

// Name is the first argument of the shim, which distinguishes it from the program that it is.
const Name = "rtmanager-shim"

// searchPath is the variable PATH of the shim and of the shell that executes the game.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Messages that the shim and its first child write to the pipe.
const (
	MessageStarted = 'b' // the file process is written, and the game is executed next
	MessageExited  = 'x' // the game has exited, and the file exit is written
)

// Config configures one run of a game.
type Config struct {
	Dir         string   // of the container, with the pipes alive and output
	Shell       string   // the path of sh
	Groups      []string // control groups that the game joins
	MaxLogBytes int64
	// HasEnvironment reports that descriptor 4 is a file with the variables of the game, in
	// the form of EncodeEnvironment.
	HasEnvironment bool
}

// Command returns the command of a shim. The caller sets the directory of the game, the pipe
// alive as descriptor 3, and a file of variables as descriptor 4. The command is this program by its inode, since an upgrade can
// have replaced its file.
func Command(c Config) *exec.Cmd {
	return &exec.Cmd{
		Path: "/proc/self/exe",
		Args: append([]string{Name, c.Dir, c.Shell, strconv.FormatInt(c.MaxLogBytes, 10), strconv.FormatBool(c.HasEnvironment)}, c.Groups...),
		// One thread of the Go scheduler needs less memory. nil would mean the variables of the
		// daemon.
		Env: []string{searchPath, "GOMAXPROCS=1"},
	}
}

// parseArgs returns the config of a shim from its arguments, and false if they are not those
// of Command.
func parseArgs(args []string) (Config, bool) {
	if len(args) < 5 || args[0] != Name {
		return Config{}, false
	}
	maxLogBytes, err := strconv.ParseInt(args[3], 10, 64)
	hasEnvironment, errBool := strconv.ParseBool(args[4])
	return Config{
		Dir: args[1], Shell: args[2], MaxLogBytes: maxLogBytes, HasEnvironment: hasEnvironment, Groups: args[5:],
	}, err == nil && errBool == nil
}
