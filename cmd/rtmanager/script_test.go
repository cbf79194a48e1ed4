package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the scripts of testdata/script on real daemons. In addition to the
// commands of testscript they use:
//
//	serve [FLAG...]       start a daemon on free ports and $WORK/data, without an engine unless --engine is given, and wait until it is ready
//	watch NAME [ARG...]   start a watch in the background, with its output in the file NAME
//	daemon NAME [FLAG...] start a further daemon in the background, with its output in the file NAME
//	use NAME              connect the following commands to that daemon
//	await FILE TEXT       wait until the file contains the text
//	interrupt NAME        send SIGINT to a daemon (the first one is "serve") or a watch; its exit code must be 0 or 130
//	terminate NAME        the same with SIGTERM
//	kill9                 send SIGKILL to the daemon
//	exitcode N COMMAND    require the exit code N of the command
//	rename FILE GAME      set the game id of the record in the YAML file
//	cmpoutput FILE        compare standard output with the file, except for times, ids and ages
//	gameimages DIR        build the images gameserver:1.0.0 and 1.0.1
//	downtimes start|end NAME [COUNT]
//	                      wait until COUNT games were not ready and all are; log the longest time
//	stored FILE           write the keys of the store to the file
//	etcdput, etcddel, etcdcompact
//	                      change etcd directly
func TestScripts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs daemon processes")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup:               setupScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serveCommand, "watch": watchCommand, "daemon": daemonCommand, "use": useCommand, "await": awaitCommand,
			"interrupt": signalCommand(syscall.SIGINT), "terminate": signalCommand(syscall.SIGTERM), "kill9": killCommand,
			"exitcode": exitcodeCommand, "cmpoutput": cmpoutputCommand, "rename": renameCommand,
			"gameimages": gameImagesCommand, "downtimes": downtimesCommand, "stored": storedCommand,
			"etcdput": etcdPutCommand, "etcddel": etcdDeleteCommand, "etcdcompact": etcdCompactCommand,
		},
	})
}

func setupScript(env *testscript.Env) error {
	bin := filepath.Join(env.WorkDir, ".bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	// The test program runs main if runMainVariable is set.
	if err := os.Symlink(program, filepath.Join(bin, "rtmanager")); err != nil {
		return err
	}
	env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
	env.Setenv(runMainVariable, "1")
	env.Setenv("USER", "ada")
	env.Setenv("RTMANAGER_SERVER", "http://127.0.0.1:1")
	// Values that a script cannot contain.
	env.Setenv("LONGEST", strings.Repeat("x", 256))
	env.Setenv("LONG", strings.Repeat("x", 257))
	env.Setenv("COMPOSED", "caf\u00e9")
	env.Setenv("DECOMPOSED", "cafe\u0301")
	env.Setenv("ESC", "\x1b")
	env.Setenv("BYTE", "\xff")
	running := processes{}
	env.Values[processesKey{}] = running
	watches := map[string]*downtimes{}
	env.Values[downtimesKey{}] = watches
	env.Defer(func() {
		for _, d := range watches {
			d.cancel()
			d.done.Wait()
		}
		for _, cmd := range running {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return nil
}
