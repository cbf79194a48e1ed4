package enginetest

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/ports"
)

func commandTests(h Harness) []contractTest {
	if h.Program == nil {
		return nil
	}
	tests := []contractTest{
		{"Exec in an unknown container returns ErrNoContainer", func(t *testing.T, f *fixture) {
			for _, id := range unknownIDs {
				_, err := f.runner(t).Exec(t.Context(), id, container.Command{Args: []string{"true"}})
				require.ErrorIs(t, err, container.ErrNoContainer, "exec in %q", id)
			}
		}},
		{"Exec in a container that does not run returns ErrNotRunning", testExecNotRunning},
	}
	if !h.RunsGames {
		return tests
	}
	return append(tests,
		contractTest{"Exec returns the exit code and the output of the command", testExecOutput},
		contractTest{"Exec runs the command with the variables and in the directory of the game", testExecEnvironment},
		contractTest{"Exec passes the input to the command", testExecInput},
		contractTest{"Exec runs the command on a terminal, and resizes it", testExecTerminal},
		contractTest{"Exec of a program that does not exist returns its code and the reason", testExecNoProgram},
		contractTest{"Exec ends the command with its context", testExecCanceled},
		contractTest{"Exec ends the command when the container exits, and does not delay that", testExecStopped},
		contractTest{"Exec discards the output of a caller that fails", testExecFailingCaller},
	)
}

// runner returns the engine as a runner of commands.
func (f *fixture) runner(t *testing.T) ports.CommandRunner {
	t.Helper()
	runner, isRunner := f.engine.(ports.CommandRunner)
	require.True(t, isRunner, "the engine runs commands")
	return runner
}

// syncBuffer is a buffer that is read while a command writes to it.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(data)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// command runs a command of cmd/gameserver to its end.
func (f *fixture) command(t *testing.T, c container.Container, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs syncBuffer
	code, err := f.runner(t).Exec(t.Context(), c.ID, container.Command{Args: f.commandArgs(c, args...), Stdout: &out, Stderr: &errs})
	require.NoError(t, err, "exec %v", args)
	return code, out.String(), errs.String()
}

func (f *fixture) commandArgs(c container.Container, args ...string) []string {
	return append([]string{f.Program(c), "run"}, args...)
}

func testExecNotRunning(t *testing.T, f *fixture) {
	c := f.create(t, f.spec("game"))
	_, err := f.runner(t).Exec(t.Context(), c.ID, container.Command{Args: f.commandArgs(c, "echo")})
	require.ErrorIs(t, err, container.ErrNotRunning, "never started")
	f.start(t, c.ID)
	f.stop(t, c.ID, 0)
	_, err = f.runner(t).Exec(t.Context(), c.ID, container.Command{Args: f.commandArgs(c, "echo")})
	require.ErrorIs(t, err, container.ErrNotRunning, "stopped")
}

func testExecOutput(t *testing.T, f *fixture) {
	c := f.runReady(t)
	code, out, errs := f.command(t, c, "echo", "a  b", `$HOME "'`)
	require.Zero(t, code)
	require.Equal(t, "a  b $HOME \"'\n", out)
	require.Empty(t, errs)
	code, out, errs = f.command(t, c, "exit", "42", "failed")
	require.Equal(t, 42, code)
	require.Empty(t, out)
	require.Equal(t, "failed\n", errs)
	log, err := f.engine.Logs(t.Context(), c.ID, 100)
	require.NoError(t, err)
	require.NotContains(t, strings.Join(log, "\n"), "failed", "the log of the game")
	require.Equal(t, container.StateRunning, f.inspect(t, c.ID).State)
}

func testExecEnvironment(t *testing.T, f *fixture) {
	spec := f.spec("game")
	spec.Env = map[string]string{"GREETING": "hello world"}
	c := f.start(t, f.create(t, spec).ID)
	clientOf(c).waitReady(t)
	_, out, _ := f.command(t, c, "env", "GREETING")
	require.Equal(t, "hello world\n", out)
	for _, name := range []string{"PORT", "RTMANAGER_GAME_ID"} {
		want, _ := clientOf(c).variable(t, name)
		_, out, _ = f.command(t, c, "env", name)
		require.Equal(t, want+"\n", out)
	}
	_, out, _ = f.command(t, c, "pwd")
	require.Equal(t, clientOf(c).processInfo(t).Directory+"\n", out)
}

func testExecInput(t *testing.T, f *fixture) {
	c := f.runReady(t)
	var out syncBuffer
	text := strings.Repeat("0123456789abcdef", 1<<16)
	code, err := f.runner(t).Exec(t.Context(), c.ID, container.Command{Args: f.commandArgs(c, "cat"), Stdin: strings.NewReader(text), Stdout: &out})
	require.NoError(t, err)
	require.Zero(t, code)
	require.True(t, text == out.String(), "1 MiB returns unchanged")
	code, err = f.runner(t).Exec(t.Context(), c.ID, container.Command{Args: f.commandArgs(c, "cat")})
	require.NoError(t, err, "no input is empty")
	require.Zero(t, code)
}

func testExecTerminal(t *testing.T, f *fixture) {
	c := f.runReady(t)
	input, write := io.Pipe()
	var out syncBuffer
	sizes := make(chan container.TerminalSize, 1)
	sizes <- container.TerminalSize{Width: 101, Height: 31}
	done := make(chan int, 1)
	go func() {
		code, _ := f.runner(t).Exec(t.Context(), c.ID, container.Command{
			Args: f.commandArgs(c, "size"), Stdin: input, Stdout: &out, HasTerminal: true, Sizes: sizes,
		})
		done <- code
	}()
	requireSize := func(want string) {
		eventually(t, "the size is "+want, func() bool {
			_, err := io.WriteString(write, "\n")
			require.NoError(t, err)
			return strings.Contains(out.String(), want)
		})
	}
	requireSize("101x31 <nil>")
	sizes <- container.TerminalSize{Width: 77, Height: 22}
	requireSize("77x22 <nil>")
	_, err := io.WriteString(write, "\x04")
	require.NoError(t, err)
	require.Zero(t, receive(t, done))
	require.NoError(t, write.Close())
}

func testExecNoProgram(t *testing.T, f *fixture) {
	c := f.runReady(t)
	for _, program := range []string{"/no/such/program", "no-such-program"} {
		var output syncBuffer
		code, err := f.runner(t).Exec(t.Context(), c.ID, container.Command{Args: []string{program}, Stdout: &output, Stderr: &output})
		require.NoError(t, err)
		require.Contains(t, []int{container.ExitNotFound, container.ExitNotExecutable}, code)
		require.Contains(t, output.String(), program)
	}
}

func testExecCanceled(t *testing.T, f *fixture) {
	c := f.runReady(t)
	for _, name := range []string{"sleep", "detach"} {
		ctx, cancel := context.WithCancel(t.Context())
		input, write := io.Pipe()
		var out syncBuffer
		done := make(chan error, 1)
		go func() {
			_, err := f.runner(t).Exec(ctx, c.ID, container.Command{Args: f.commandArgs(c, name), Stdin: input, Stdout: &out})
			done <- err
		}()
		eventually(t, "the command has written its pid", func() bool { return strings.HasSuffix(out.String(), "\n") })
		cancel()
		err := receive(t, done)
		if name == "sleep" {
			require.ErrorIs(t, err, container.ErrEngineUnavailable)
		}
		require.NoError(t, write.Close())
		if name == "detach" && !f.SignalsAll {
			continue // Docker cannot end the processes that a command leaves in the container
		}
		pid := strings.TrimSpace(out.String())
		eventually(t, "process "+pid+" of "+name+" has ended", func() bool {
			// An engine that is busy may fail to run one of these commands.
			code, err := f.runner(t).Exec(t.Context(), c.ID, container.Command{Args: f.commandArgs(c, "alive", pid)})
			return err == nil && code == 1
		})
	}
	require.Equal(t, container.StateRunning, f.inspect(t, c.ID).State)
}

func testExecStopped(t *testing.T, f *fixture) {
	c := f.runReady(t)
	var out syncBuffer
	codes, failures := make(chan int, 1), make(chan error, 1)
	go func() {
		code, err := f.runner(t).Exec(t.Context(), c.ID, container.Command{Args: f.commandArgs(c, "sleep"), Stdout: &out})
		codes <- code
		failures <- err
	}()
	eventually(t, "the command runs", func() bool { return out.String() != "" })
	stopped := f.stop(t, c.ID, longGrace)
	require.NotNil(t, stopped.ExitCode)
	require.Zero(t, *stopped.ExitCode, "the game has exited by itself")
	require.NotZero(t, receive(t, codes))
	require.NoError(t, receive(t, failures))
}

// failingWriter fails at the first write.
type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func testExecFailingCaller(t *testing.T, f *fixture) {
	c := f.runReady(t)
	code, err := f.runner(t).Exec(t.Context(), c.ID, container.Command{
		Args: f.commandArgs(c, "cat"), Stdin: strings.NewReader(strings.Repeat("x", 1<<20)), Stdout: failingWriter{},
	})
	require.NoError(t, err)
	require.Zero(t, code)
}
