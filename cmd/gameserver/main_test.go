package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"galaxy/rtmanager/internal/testkit/tcptest"

	"github.com/stretchr/testify/require"
)

// runGame is the environment variable that makes the test program the game.
const runGame = "GAMESERVER_TEST_RUN_GAME"

func TestMain(m *testing.M) {
	if os.Getenv(runGame) != "" {
		main()
	}
	os.Exit(m.Run())
}

func variables(v map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { value, ok := v[name]; return value, ok }
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		want options
	}{
		"no flags":            {want: options{port: 8080, exitAtStart: -1}},
		"port 0":              {env: map[string]string{"PORT": "0"}, want: options{port: 8080, exitAtStart: -1}},
		"port of variable":    {env: map[string]string{"PORT": "1234"}, want: options{port: 1234, exitAtStart: -1}},
		"flag before PORT":    {args: []string{"--port", "9"}, env: map[string]string{"PORT": "1234"}, want: options{port: 9, exitAtStart: -1}},
		"variable for a flag": {env: map[string]string{"GAMESERVER_SLOW_EXIT": "3s"}, want: options{port: 8080, exitAtStart: -1, slowExit: 3 * time.Second}},
		"flag before variable": {
			args: []string{"--exit-at-start=4"}, env: map[string]string{"GAMESERVER_EXIT_AT_START": "5"},
			want: options{port: 8080, exitAtStart: 4},
		},
		"child is not for variables": {env: map[string]string{"GAMESERVER_CHILD": "true"}, want: options{port: 8080, exitAtStart: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseOptions(c.args, variables(c.env), io.Discard)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestInvalidOptionsExitWith2(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		args []string
		env  map[string]string
	}{
		"PORT cannot be":                     {env: map[string]string{"PORT": "http"}},
		"GAMESERVER_HEALTHY_AFTER cannot be": {env: map[string]string{"GAMESERVER_HEALTHY_AFTER": "soon"}},
		"not defined: -unknown":              {args: []string{"--unknown"}},
	} {
		var stderr strings.Builder
		require.Equal(t, 2, run(c.args, variables(c.env), &stderr))
		require.Contains(t, stderr.String(), want)
	}
}

func TestExitAtStart(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	require.Equal(t, 7, run([]string{"--exit-at-start", "7"}, variables(nil), &stderr))
	require.Contains(t, stderr.String(), "code 7")
}

func TestAPortInUseExitsWith1(t *testing.T) {
	t.Parallel()
	used := httptest.NewServer(http.NotFoundHandler())
	defer used.Close()
	_, port, _ := strings.Cut(used.Listener.Addr().String(), ":")
	var stderr strings.Builder
	require.Equal(t, 1, run([]string{"--port", port}, variables(nil), &stderr))
	require.Contains(t, stderr.String(), "address already in use")
}

// send sends a request to the game and returns the status and body of the response.
func send(t *testing.T, g *game, method, target string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	g.routes().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody))
	return w.Code, w.Body.String()
}

func TestHealth(t *testing.T) {
	t.Parallel()
	for status, o := range map[int]options{200: {}, 503: {healthyAfter: time.Hour}} {
		got, _ := send(t, newGame(o, nil, io.Discard), "GET", "/healthz")
		require.Equal(t, status, got)
	}
	got, _ := send(t, newGame(options{isNeverHealthy: true}, nil, io.Discard), "GET", "/healthz")
	require.Equal(t, 503, got)
}

func TestHealthHangsUntilUnhang(t *testing.T) {
	t.Parallel()
	g := newGame(options{}, nil, io.Discard)
	send(t, g, "POST", "/hang")
	responses := make(chan int, 1)
	go func() { code, _ := send(t, g, "GET", "/healthz"); responses <- code }()
	select {
	case <-responses:
		require.Fail(t, "health responds although the game hangs")
	case <-time.After(50 * time.Millisecond):
	}
	send(t, g, "POST", "/unhang")
	require.Equal(t, 200, <-responses)
}

func TestRequests(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	g := newGame(options{}, []string{"--a b"}, &stderr)
	_, body := send(t, g, "GET", "/")
	require.Contains(t, body, fmt.Sprintf(`"pid":%d`, os.Getpid()))
	require.Contains(t, body, `"args":["--a b"]`)
	_, body = send(t, g, "GET", "/version")
	require.Equal(t, "dev\n", body)
	code, _ := send(t, g, "GET", "/env?name=GAMESERVER_NO_SUCH")
	require.Equal(t, 404, code)
	code, _ = send(t, g, "POST", "/log?text=hey&repeat=2&times=2")
	require.Equal(t, 200, code)
	require.Equal(t, "heyhey\nheyhey\n", stderr.String())
	code, _ = send(t, g, "POST", "/crash?code=x")
	require.Equal(t, 400, code)
}

// start runs the game as a process. It returns the process and its URL once it listens.
func start(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = []string{runGame + "=1", "PORT=" + strconv.Itoa(tcptest.UnusedPort(t))}
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for lines := bufio.NewReader(stderr); ; {
		line, err := lines.ReadString('\n')
		require.NoError(t, err, "the game exits before it listens")
		if _, address, ok := strings.Cut(strings.TrimSpace(line), "listens on 0.0.0.0"); ok {
			return cmd, "http://127.0.0.1" + address
		}
	}
}

func crash(t *testing.T, address, code string) {
	t.Helper()
	response, err := http.Post(address+"/crash?code="+code, "", http.NoBody)
	if err == nil {
		response.Body.Close()
	}
	require.Error(t, err, "a crash sends no response")
}

func TestSIGTERMExitsWith0(t *testing.T) {
	t.Parallel()
	cmd, _ := start(t, "--slow-exit", "10ms")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
}

func TestCrashExitsWithItsCode(t *testing.T) {
	t.Parallel()
	cmd, address := start(t)
	crash(t, address, "42")
	_ = cmd.Wait()
	require.Equal(t, 42, cmd.ProcessState.ExitCode())
}

func TestIgnoredSIGTERM(t *testing.T) {
	t.Parallel()
	cmd, address := start(t, "--ignore-sigterm")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	crash(t, address, "3")
	_ = cmd.Wait()
	require.Equal(t, 3, cmd.ProcessState.ExitCode(), "SIGTERM must not end it")
}
