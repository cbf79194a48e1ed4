package daemon_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/audit"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/audittest"
)

// output is written by a command and read by the test.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(data)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// runShell runs a command of the shell in a game.
func runShell(t *testing.T, client *httpclient.Client, gameID, script string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs output
	code, err := client.Exec(t.Context(), gameID, container.Command{Args: []string{"sh", "-c", script, ""}, Stdout: &out, Stderr: &errs})
	require.NoError(t, err)
	return code, out.String(), errs.String()
}

func TestExecAcrossNodes(t *testing.T) {
	t.Parallel()
	games, other := startTwoNodes(t, processSettings(t))
	games.execute(t, operation.KindStart, "a/game", &operation.Spec{Image: "game:1", HealthPath: "none", Env: map[string]string{"GREETING": "hello"}})
	for _, d := range []*runningDaemon{games, other} {
		code, out, errs := runShell(t, d.client, "a/game", "echo $GREETING; echo no >&2; exit 7")
		require.Equal(t, 7, code)
		require.Equal(t, "hello\n", out)
		require.Equal(t, "no\n", errs)

		var out2 output
		text := strings.Repeat("0123456789", 100_000)
		code, err := d.client.Exec(t.Context(), "a/game", container.Command{Args: []string{"cat"}, Stdin: strings.NewReader(text), Stdout: &out2})
		require.NoError(t, err)
		require.Zero(t, code)
		require.True(t, text == out2.String(), "1 MB returns unchanged")

		_, err = d.client.Exec(t.Context(), "missing", container.Command{Args: []string{"true"}})
		require.ErrorIs(t, err, runtime.ErrNotFound)
		_, err = d.client.Exec(t.Context(), "a/game", container.Command{})
		require.ErrorIs(t, err, runtime.ErrInvalid)
		testExecOnTerminal(t, d)
		testExecOfLeavingClient(t, d)
	}
	games.execute(t, operation.KindStop, "a/game", nil)
	_, err := other.client.Exec(t.Context(), "a/game", container.Command{Args: []string{"true"}})
	require.ErrorIs(t, err, operation.ErrRejected)
	require.ErrorContains(t, err, "the game does not run")
}

func testExecOnTerminal(t *testing.T, d *runningDaemon) {
	t.Helper()
	input, write := io.Pipe()
	sizes := make(chan container.TerminalSize, 1)
	sizes <- container.TerminalSize{Width: 90, Height: 30}
	var out output
	codes := make(chan int, 1)
	go func() {
		code, err := d.client.Exec(t.Context(), "a/game", container.Command{Args: []string{"sh"}, Stdin: input, Stdout: &out, HasTerminal: true, Sizes: sizes})
		if err != nil {
			code = -1
		}
		codes <- code
	}()
	require.Eventually(t, func() bool {
		_, _ = io.WriteString(write, "stty size\n")
		return strings.Contains(out.String(), "30 90")
	}, timeout, timeout/1000)
	_, err := io.WriteString(write, "exit 3\n")
	require.NoError(t, err)
	require.Equal(t, 3, <-codes)
	require.NoError(t, write.Close())
}

// A command ends when its client leaves.
func testExecOfLeavingClient(t *testing.T, d *runningDaemon) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out output
	done := make(chan error, 1)
	go func() {
		_, err := d.client.Exec(ctx, "a/game", container.Command{Args: []string{"sh", "-c", "echo $$; exec sleep 1000"}, Stdout: &out})
		done <- err
	}()
	require.Eventually(t, func() bool { return strings.HasSuffix(out.String(), "\n") }, timeout, timeout/1000)
	pid := strings.TrimSpace(out.String())
	require.FileExists(t, "/proc/"+pid+"/stat")
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Eventually(t, func() bool {
		_, err := os.Stat("/proc/" + pid)
		return os.IsNotExist(err)
	}, timeout, timeout/1000)
}

// clientOf returns a client of the first daemon with the token of the caller.
func (p *securedPair) clientOf(t *testing.T, c caller) *httpclient.Client {
	t.Helper()
	client, err := httpclient.New(p.first.API, httpclient.Config{Credentials: httpclient.Credentials{
		Token: func(context.Context) (string, error) { return c.token, nil }, TLS: &tls.Config{RootCAs: p.ca.Pool()},
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// Only the roles executor and admin run commands, over mutual TLS, and the audit logs of both daemons have the
// command without its input.
func TestExecIsAuthorizedAndAudited(t *testing.T) {
	t.Parallel()
	var files []string
	p := startSecuredPair(t, func(cfg *config.Config) {
		dir := filepath.Join(t.TempDir(), "audit")
		require.NoError(t, os.Mkdir(dir, 0o700))
		cfg.AuditFile = filepath.Join(dir, "audit.log")
		files = append(files, cfg.AuditFile)
	})
	status, text := p.admin(t).send("POST", p.first.API+"/v1/runtimes/far/start", `{"image":"game:1","health_path":"none","region":"us"}`)
	require.Equal(t, 200, status, text)
	for grant, isAllowed := range map[string]bool{"reader": false, "operator": false, "executor@eu": false, "executor@us": true, "admin": true} {
		name := "t" + strings.ReplaceAll(grant, "@", "-")
		client := p.clientOf(t, p.newToken(t, name, grant))
		require.Eventually(t, func() bool { // the other daemon knows the token after a moment
			var out output
			code, err := client.Exec(t.Context(), "far", container.Command{Args: []string{"sh", "-c", "cat; exit 4"}, Stdin: strings.NewReader("input of " + name), Stdout: &out})
			if !isAllowed {
				require.ErrorIs(t, err, access.ErrForbidden, grant)
				return true
			}
			if err != nil {
				require.ErrorIs(t, err, access.ErrUnauthenticated)
				return false
			}
			require.Equal(t, 4, code)
			return out.String() == "input of "+name
		}, timeout, timeout/1000)
		require.Eventually(t, func() bool {
			for i, file := range files {
				found := map[audit.Outcome]audit.Event{}
				for _, event := range audittest.Read(t, file) {
					if event.Action == "exec-runtime" && event.Actor == "token:"+name {
						found[event.Outcome] = event
					}
				}
				switch {
				case !isAllowed && i == 0:
					if _, isDenied := found[audit.OutcomeDenied]; !isDenied {
						return false
					}
				case !isAllowed:
				case i == 0:
					if !strings.Contains(found[audit.OutcomeUnknown].Detail, `command ["sh","-c","cat; exit 4"]; forwarded to us/n2`) {
						return false
					}
				case found[audit.OutcomePending].Detail != `command ["sh","-c","cat; exit 4"]` ||
					found[audit.OutcomeSucceeded].Detail != `command ["sh","-c","cat; exit 4"]: exit code 4`:
					return false
				}
			}
			return true
		}, timeout, timeout/1000, grant)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NotContains(t, string(content), "input of")
	}
}
