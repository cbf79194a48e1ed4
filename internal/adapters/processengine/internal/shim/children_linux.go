package shim

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Descriptors of the shim.
const (
	alivePipe       = 3 // the pipe that shows whether the shim lives
	inheritedValues = 4 // the file of variables, if there is one
)

// launchTime is how long the other processes of a game must outlive a first process that exits
// with code 0, so that the first process counts as a launcher.
const launchTime = 200 * time.Millisecond

// gameScript joins the control groups, records its own process and then becomes the game: exec
// changes neither the pid nor the start time. It uses only shell builtins. $1 is the directory
// of the container; the control groups follow.
const gameScript = `exec 2>&1
dir=$1; shift
for group; do echo 0 >"$group/cgroup.procs" || exit 126; done
read -r stat </proc/$$/stat && echo "$stat" >"$dir/process" || exit 126
echo b >"$dir/alive"
. "$dir/run.sh"`

// startGame starts the first process of the game and returns its pid. Its output is a pipe that
// it can also read, so that the game survives the death of the shim.
func startGame(config Config) (pid int, err error) {
	stdin, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer func() { _ = stdin.Close() }()
	// Without O_NONBLOCK: the game inherits this mode.
	output, err := syscall.Open(config.Dir+"/output", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = syscall.Close(output) }()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = null.Close() }()
	files := []uintptr{stdin.Fd(), uintptr(output), null.Fd()}
	if config.HasEnvironment {
		program, err := os.Open("/proc/self/exe")
		if err != nil {
			return 0, err
		}
		defer func() { _ = program.Close() }()
		defer func() { _ = syscall.Close(inheritedValues) }()
		files = append(files, inheritedValues, program.Fd()) // environmentFile, programFile
	}
	args := append([]string{config.Shell, "-c", gameScript, "rtmanager-game", config.Dir}, config.Groups...)
	return syscall.ForkExec(config.Shell, args, &syscall.ProcAttr{
		Env: []string{searchPath}, Files: files,
	})
}

// waitChildren waits for all processes of the game. It records the exit code of the first
// process when that exits. If that is a launcher, it finally records the code of the
// process that exits last, unless a stop has ended it.
func waitChildren(dir string, main int) {
	var launchedAt time.Time // zero until a launcher has exited
	lastCode := -1
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil: // ECHILD: all have exited
			if _, err := os.Lstat(dir + "/stop.json"); lastCode >= 0 && err != nil {
				_ = replaceExit(dir, lastCode)
			}
			return
		case pid == main:
			code := exitCode(status)
			_ = recordExit(dir, code)
			_, _ = syscall.Write(alivePipe, []byte{MessageExited})
			if code == 0 {
				launchedAt = time.Now()
			}
		case !launchedAt.IsZero() && time.Since(launchedAt) > launchTime:
			lastCode = exitCode(status)
		}
	}
}

// exitCode returns the exit code of a process, 128 plus the signal that killed it.
func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// recordExit writes the file exit.
func recordExit(dir string, code int) error {
	return os.WriteFile(dir+"/exit", []byte(strconv.Itoa(code)+"\n"), 0o600)
}

// replaceExit replaces the file exit in one step.
func replaceExit(dir string, code int) error {
	name := dir + "/exit"
	if err := os.WriteFile(name+".new", []byte(strconv.Itoa(code)+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
