package httpserver_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// commandGames are games in which a command is a function of the test.
type commandGames struct {
	fakeGames
	run func(ctx context.Context, command container.Command) (int, error)
}

func (g commandGames) Exec(ctx context.Context, _ string, command container.Command) (int, error) {
	return g.run(ctx, command)
}

// commandConfig returns the settings of a server with the game g, in which a command is run.
func commandConfig(run func(ctx context.Context, command container.Command) (int, error), tune ...func(*httpserver.Config)) servertest.Config {
	cfg := httpserver.Config{Region: "eu", Node: "n1", Games: commandGames{run: run}}
	for _, change := range tune {
		change(&cfg)
	}
	return servertest.Config{Config: cfg, Local: &fakeNode{}, Nodes: &fakeRegistry{}}
}

// execFixture is a client of a server with the game g.
type execFixture struct {
	t      *testing.T
	addr   string
	client *httpclient.Client
}

func newExecFixture(t *testing.T, f *fixture) *execFixture {
	t.Helper()
	require.Equal(t, http.StatusOK, f.send("PUT", "/v1/runtimes/g", "", runningRecord).StatusCode)
	client, err := httpclient.New("http://"+f.addr, httpclient.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return &execFixture{t, f.addr, client}
}

func (f *execFixture) exec(command container.Command) (int, error) {
	command.Args = append(command.Args, "program", "")
	return f.client.Exec(f.t.Context(), "g", command)
}

// dial opens the WebSocket of a command.
func (f *execFixture) dial(query string) (*websocket.Conn, error) {
	dialer := websocket.Dialer{Subprotocols: []string{api.ExecSubprotocol}}
	conn, response, err := dialer.DialContext(f.t.Context(), "ws://"+f.addr+"/v1/runtimes/g/exec?command=program"+query, nil)
	if response != nil {
		_ = response.Body.Close()
	}
	if err == nil {
		f.t.Cleanup(func() { _ = conn.Close() })
	}
	return conn, err
}

// untilLeft is a command that ends with its session.
func untilLeft(ctx context.Context, _ container.Command) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

func TestExecCarriesTheStreams(t *testing.T) {
	t.Parallel()
	f := newExecFixture(t, start(t, commandConfig(func(_ context.Context, command container.Command) (int, error) {
		text, _ := io.ReadAll(command.Stdin)
		_, _ = command.Stdout.Write(text)
		_, _ = io.WriteString(command.Stderr, strings.Join(command.Args, "|"))
		return 300, nil
	})))
	var out, errs strings.Builder
	input := strings.Repeat("input ", 100_000)
	code, err := f.exec(container.Command{Stdin: strings.NewReader(input), Stdout: &out, Stderr: &errs})
	require.NoError(t, err)
	require.Equal(t, 300, code)
	require.True(t, input == out.String())
	require.Equal(t, "program|", errs.String())
}

func TestExecReportsAFailure(t *testing.T) {
	t.Parallel()
	f := newExecFixture(t, start(t, commandConfig(func(context.Context, container.Command) (int, error) {
		return 0, &operation.RejectedError{GameID: "g", Operation: "exec", Reason: "the game does not run"}
	})))
	_, err := f.exec(container.Command{})
	require.ErrorIs(t, err, operation.ErrRejected)
	require.ErrorContains(t, err, "the game does not run")
}

func TestExecRejectsOtherRequests(t *testing.T) {
	t.Parallel()
	s := start(t, commandConfig(untilLeft))
	newExecFixture(t, s)
	const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	const protocol = "Sec-WebSocket-Protocol: " + api.ExecSubprotocol + "\r\n"
	for name, c := range map[string]struct {
		path, headers string
		status        int
	}{
		"no upgrade":     {"/exec?command=ls", "", http.StatusUpgradeRequired},
		"no command":     {"/exec", upgrade + protocol, http.StatusBadRequest},
		"empty command":  {"/exec?command=", upgrade + protocol, http.StatusBadRequest},
		"no subprotocol": {"/exec?command=ls", upgrade, http.StatusBadRequest},
		"old version":    {"/exec?command=ls", strings.Replace(upgrade, "13", "8", 1) + protocol, http.StatusBadRequest},
		"other origin":   {"/exec?command=ls", upgrade + protocol + "Origin: http://evil.example\r\n", http.StatusForbidden},
		"other site":     {"/exec?command=ls", upgrade + protocol + "Sec-Fetch-Site: cross-site\r\n", http.StatusForbidden},
		"other host":     {"/exec?command=ls", "Host: evil.example\r\n" + upgrade + protocol, http.StatusMisdirectedRequest},
	} {
		response := s.send("GET", "/v1/runtimes/g"+c.path, c.headers, "")
		require.Equal(t, c.status, response.StatusCode, name+": "+response.body)
	}
}

func TestExecIsLimited(t *testing.T) {
	t.Parallel()
	f := newExecFixture(t, start(t, commandConfig(untilLeft, func(c *httpserver.Config) { c.MaxCommands = 1 })))
	conn, err := f.dial("")
	require.NoError(t, err)
	_, err = f.exec(container.Command{})
	require.ErrorContains(t, err, "maximum of 1 commands")
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool {
		conn, err := f.dial("")
		return err == nil && conn.Close() == nil
	}, testTimeout, tick, "the command of a client that has left ends")
}

func TestExecCanBeForbidden(t *testing.T) {
	t.Parallel()
	f := newExecFixture(t, start(t, commandConfig(untilLeft, func(c *httpserver.Config) { c.NoCommands = true })))
	_, err := f.exec(container.Command{})
	require.ErrorContains(t, err, "this node runs no commands in games")
}

func TestIdleExecEnds(t *testing.T) {
	t.Parallel()
	f := newExecFixture(t, start(t, commandConfig(untilLeft, func(c *httpserver.Config) { c.CommandIdleTimeout = 50 * time.Millisecond })))
	_, err := f.exec(container.Command{})
	require.ErrorContains(t, err, "neither input nor output")
}

// A client that does not read blocks the command, which the server does not buffer, until the idle timeout.
func TestExecOfAClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	sums, failures := make(chan int, 1), make(chan error, 1)
	f := newExecFixture(t, start(t, commandConfig(func(_ context.Context, command container.Command) (int, error) {
		block, sum := make([]byte, 1<<20), 0
		for {
			n, err := command.Stdout.Write(block)
			if sum += n; err != nil {
				sums <- sum
				failures <- err
				return 0, err
			}
		}
	}, func(c *httpserver.Config) { c.CommandIdleTimeout = 200 * time.Millisecond })))
	_, err := f.dial("")
	require.NoError(t, err)
	require.Less(t, <-sums, 256<<20, "what the sockets buffer")
	require.Error(t, <-failures)
}

// A client can send input that no command reads, and its end is detected nevertheless.
func TestExecOfAClientThatLeavesWithUnreadInput(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	f := newExecFixture(t, start(t, commandConfig(func(ctx context.Context, _ container.Command) (int, error) {
		<-ctx.Done()
		close(done)
		return 0, ctx.Err()
	}, func(c *httpserver.Config) { c.Heartbeat = 10 * time.Millisecond })))
	conn, err := f.dial("&stdin=true")
	require.NoError(t, err)
	for range 100 {
		require.NoError(t, conn.WriteMessage(websocket.BinaryMessage, make([]byte, 1000)))
	}
	require.NoError(t, conn.Close())
	select {
	case <-done:
	case <-time.After(testTimeout):
		require.Fail(t, "the command still runs")
	}
}

func TestShutdownEndsExecWithAReason(t *testing.T) {
	t.Parallel()
	s := serve(t, memstore.New(), commandConfig(untilLeft, func(c *httpserver.Config) { c.DrainTimeout = time.Hour }))
	f := newExecFixture(t, s.fixture)
	conn, err := f.dial("")
	require.NoError(t, err)
	s.stop()
	_, data, err := conn.ReadMessage()
	require.NoError(t, err)
	require.Equal(t, byte(api.ExecResultChannel), data[0])
	require.Contains(t, string(data[1:]), "shutting down")
	require.NoError(t, conn.Close())
	require.NoError(t, s.wait())
}
