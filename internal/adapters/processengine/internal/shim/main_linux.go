package shim

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"galaxy/rtmanager/internal/adapters/processengine/internal/gamelog"
)

// drainTimeout is how long the shim waits for the end of the output after the last process of
// the game has exited. Another program can have the pipe open.
const drainTimeout = time.Second

// The shim ends the program before the packages of the daemon are initialized.
func init() {
	if config, ok := parseArgs(os.Args); ok {
		os.Exit(run(config))
	}
	if game, ok := parseExecArgs(os.Args); ok {
		os.Exit(execGame(game))
	}
	if session, ok := parseSession(os.Args); ok {
		os.Exit(runSession(session))
	}
}

// run runs the game until all its processes have exited, and returns the exit code of the shim.
func run(config Config) int {
	signals := make(chan os.Signal, 1)
	// A signal to the process group ends the game, and the shim records its exit code. Unlike an
	// ignored signal, a handled one is not inherited by the game.
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM)
	syscall.CloseOnExec(alivePipe)
	if config.HasEnvironment {
		syscall.CloseOnExec(inheritedValues)
	}
	if err := becomeSubreaper(); err != nil {
		return 1
	}
	output, err := openOutput(config.Dir)
	if err != nil {
		return 1
	}
	main, err := startGame(config)
	if err != nil {
		return 1
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		gamelog.Copy(output, config.Dir+"/log", config.MaxLogBytes)
	}()
	waitChildren(config.Dir, main)
	_ = output.SetReadDeadline(time.Now().Add(drainTimeout))
	<-copied
	return 0
}

// openOutput opens the reading end of the output pipe.
func openOutput(dir string) (*os.File, error) {
	return os.OpenFile(dir+"/output", os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// becomeSubreaper makes this process the parent of descendants that lose their parent, and sets
// its name: its executable is that of the daemon.
func becomeSubreaper() error {
	const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER
	if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		return errno
	}
	_ = os.WriteFile("/proc/self/comm", []byte(Name), 0)
	return nil
}
