package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Scripts are stories that an operator could read, on real daemons. Besides
// testscript's own commands they know:
//
//	serve [FLAG...]     a daemon on free ports and $WORK/data, without an engine unless --engine says so; waits until it is ready
//	watch NAME [ARG...] a watch in the background whose output goes to the file NAME
//	also NAME [FLAG...] a further daemon in the background, whose output goes to the file NAME
//	ask NAME            from here on the verbs talk to that daemon
//	await FILE TEXT     until the file holds the text
//	interrupt WHAT      SIGINT to a daemon (the first is "serve") or a watch; its exit code must be 0 or 130
//	terminate WHAT      the same with SIGTERM
//	kill9               SIGKILL to the daemon
//	exits N COMMAND     the command's exit code is N
//	rename FILE GAME    gives the record in the YAML file to another game
//	prints FILE         standard output is the file's text, instants, ids and ages aside
//	etcdput, etcddel, etcdcompact
//	                    behind the daemon's back
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup:               setupScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serveCommand, "watch": watchCommand, "also": alsoCommand, "ask": askCommand, "await": awaitCommand,
			"interrupt": signalCommand(syscall.SIGINT), "terminate": signalCommand(syscall.SIGTERM), "kill9": killCommand,
			"exits": exitsCommand, "prints": printsCommand, "rename": renameCommand,
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
	// The test program is rtmanager wherever beDaemon is set.
	if err := os.Symlink(program, filepath.Join(bin, "rtmanager")); err != nil {
		return err
	}
	env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
	env.Setenv(beDaemon, "1")
	env.Setenv("USER", "ada")
	env.Setenv("RTMANAGER_SERVER", "http://127.0.0.1:1")
	// What a script cannot write.
	env.Setenv("LONGEST", strings.Repeat("x", 256))
	env.Setenv("LONG", strings.Repeat("x", 257))
	env.Setenv("COMPOSED", "caf\u00e9")
	env.Setenv("DECOMPOSED", "cafe\u0301")
	env.Setenv("ESC", "\x1b")
	env.Setenv("BYTE", "\xff")
	running := processes{}
	env.Values[processesKey{}] = running
	env.Defer(func() {
		for _, cmd := range running {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return nil
}
