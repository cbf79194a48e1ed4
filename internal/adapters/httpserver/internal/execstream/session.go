package execstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/container"
)

// closeTimeout bounds how long the end of a session waits for its client.
const closeTimeout = 5 * time.Second

// Causes of the end of a session.
var (
	// ErrClientLeft is the end of a session whose client has disconnected.
	ErrClientLeft = errors.New("the client has disconnected")
	// ErrIdle is the end of a session without input and output.
	ErrIdle error = problem.New(api.CodeRequestTimeout, "the command had neither input nor output for too long, and was ended")
)

// Config tunes a session.
type Config struct {
	// Ping is the time between two pings, which keep the connection open in proxies.
	Ping time.Duration
	// IdleTimeout ends a session without input and output, and one whose client does not read.
	IdleTimeout time.Duration
}

// CheckRequest returns a problem for a request that cannot be upgraded.
func CheckRequest(r *http.Request, response http.Header) error {
	if !websocket.IsWebSocketUpgrade(r) || r.Method != http.MethodGet || r.ProtoMajor != 1 {
		response.Set("Upgrade", "websocket")
		p := problem.New(api.CodeInvalid, "a command needs a WebSocket: send GET with the headers of an upgrade, over HTTP/1.1")
		p.Status = http.StatusUpgradeRequired
		return p
	}
	if !slices.Contains(websocket.Subprotocols(r), api.ExecSubprotocol) {
		return problem.BadRequest("header.Sec-WebSocket-Protocol", "must contain %s", api.ExecSubprotocol)
	}
	return nil
}

// Session is one command of one client.
type Session struct {
	conn *websocket.Conn
	cfg  Config
	idle *time.Timer

	input *io.PipeWriter
	stdin *io.PipeReader
	sizes chan container.TerminalSize

	writing sync.Mutex // guards messages, which have one writer at a time
	fail    context.CancelCauseFunc
}

// Upgrade upgrades the connection of a request that CheckRequest accepts. The error is a problem to
// respond with, unless the connection is already upgraded: then it is closed, and the error is nil.
func Upgrade(w http.ResponseWriter, r *http.Request, cfg Config) (*Session, error) {
	var rejected error
	upgrader := websocket.Upgrader{
		Subprotocols: []string{api.ExecSubprotocol},
		CheckOrigin:  func(*http.Request) bool { return true }, // the server has checked it
		Error: func(_ http.ResponseWriter, _ *http.Request, status int, reason error) {
			p := problem.New(api.CodeInvalid, reason.Error())
			p.Status = max(status, http.StatusBadRequest)
			rejected = p
		},
	}
	header := w.Header().Clone()
	for name := range header {
		if name != api.HeaderRequestID && name != api.HeaderStore {
			header.Del(name)
		}
	}
	conn, err := upgrader.Upgrade(w, r, header)
	if err != nil {
		return nil, rejected
	}
	conn.SetReadLimit(api.MaxExecMessageBytes)
	s := &Session{conn: conn, cfg: cfg, sizes: make(chan container.TerminalSize, 1)}
	s.stdin, s.input = io.Pipe()
	return s, nil
}

// Run runs the command until it ends, ctx ends, or the client leaves, and sends the result. Run sets the streams of
// the command; without hasInput its input is empty. The error is why the command has no exit code.
func (s *Session) Run(ctx context.Context, command container.Command, hasInput bool, run func(context.Context, container.Command) (int, error)) (exitCode int, err error) {
	ctx, s.fail = context.WithCancelCause(ctx)
	defer s.fail(nil)
	s.idle = time.AfterFunc(s.cfg.IdleTimeout, func() { s.fail(ErrIdle) })
	defer s.idle.Stop()
	stop := context.AfterFunc(ctx, s.abortWrites)
	defer stop()

	if command.Stdin = s.stdin; !hasInput {
		command.Stdin = nil
		_ = s.stdin.Close() // readMessages discards input
	}
	command.Sizes = s.sizes
	command.Stdout, command.Stderr = channelWriter{s, api.ExecStdout}, channelWriter{s, api.ExecStderr}
	var work sync.WaitGroup
	work.Go(s.readMessages)
	work.Go(func() { s.ping(ctx) })
	exitCode, err = run(ctx, command)
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.Canceled): // net/http cancels the request when its connection is lost
		err = ErrClientLeft
	case cause != nil:
		err = cause
	}
	stop()
	_ = s.stdin.CloseWithError(io.ErrClosedPipe) // readMessages discards further input
	s.sendResult(exitCode, err)
	s.fail(err)
	_ = s.conn.NetConn().SetReadDeadline(time.Now().Add(closeTimeout))
	work.Wait() // until the client has received the result and closed the connection
	_ = s.conn.Close()
	return exitCode, err
}

// abortWrites ends the writes to a client that does not read, after the session has ended.
func (s *Session) abortWrites() {
	_ = s.conn.NetConn().SetWriteDeadline(time.Now().Add(closeTimeout))
	time.AfterFunc(2*closeTimeout, func() { _ = s.conn.NetConn().Close() }) // a write may have set its own deadline
}

// ping keeps the connection open, and detects that it is broken, until ctx ends.
func (s *Session) ping(ctx context.Context) {
	ticker := time.NewTicker(s.cfg.Ping)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		err := s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(s.cfg.IdleTimeout))
		if err != nil && ctx.Err() == nil {
			s.fail(ErrClientLeft)
			return
		}
	}
}
