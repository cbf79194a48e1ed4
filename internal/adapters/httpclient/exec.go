package httpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/runtime"
)

// execInputBytes is how much input one message has at most.
const execInputBytes = 32 << 10

// execWriteTimeout bounds one write of input and of the sizes of the terminal: a command may read slowly.
const execWriteTimeout = 24 * time.Hour

// Exec runs a command in a game, and returns its exit code. The streams of the command are those of
// ports.CommandRunner. When ctx ends, the connection is closed, and the daemon ends the command. Exec fails with
// runtime.ErrNotFound for an unknown game, with operation.ErrRejected for one that does not run, and with
// runtime.ErrUnavailable if the connection is lost: the command then ends too.
func (c *Client) Exec(ctx context.Context, gameID string, command container.Command) (exitCode int, err error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return 0, err
	}
	query := url.Values{"command": command.Args}
	if command.Stdin != nil {
		query.Set("stdin", "true")
	}
	if command.HasTerminal {
		query.Set("tty", "true")
	}
	var conn *websocket.Conn
	err = c.tryServers(ctx, false, func(server endpoint) (err error) {
		conn, err = c.dialWebSocket(ctx, server, apiRequest{method: http.MethodGet, path: gamePath(gameID, "/exec"), query: query})
		return err
	})
	if err != nil {
		return 0, c.unavailableError(ctx, err)
	}
	e := &execution{conn: conn, command: command, done: make(chan struct{})}
	defer func() { _ = conn.Close() }()
	defer close(e.done)
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if command.Stdin != nil {
		go e.sendInput()
	}
	go e.sendSizes()
	result, err := e.readOutput()
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case err != nil:
		return 0, &unavailableError{server: c.server(), err: err}
	case result.Error != nil:
		return 0, toDomainError(result.Error)
	}
	return *result.ExitCode, nil
}

// dialWebSocket opens the WebSocket of a request. The error is that of send, or of an error response.
func (c *Client) dialWebSocket(ctx context.Context, server endpoint, request apiRequest) (*websocket.Conn, error) {
	httpRequest, err := c.newHTTPRequest(ctx, server.base, request)
	if err != nil {
		return nil, &sendError{err: err}
	}
	if err := c.authorize(ctx, httpRequest); err != nil {
		return nil, err
	}
	target := *httpRequest.URL
	target.Scheme = "ws" + strings.TrimPrefix(target.Scheme, "http")
	tlsConfig := server.tls.Clone()
	if tlsConfig != nil {
		tlsConfig.NextProtos = slices.DeleteFunc(slices.Clone(tlsConfig.NextProtos), func(name string) bool { return name == "h2" })
	}
	dialer := websocket.Dialer{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: tlsConfig, HandshakeTimeout: c.cfg.RequestTimeout,
		Subprotocols: []string{api.ExecSubprotocol},
	}
	conn, response, err := dialer.DialContext(ctx, target.String(), httpRequest.Header) //nolint:bodyclose // the connection closes it
	switch {
	case err == nil && conn.Subprotocol() != api.ExecSubprotocol:
		_ = conn.Close()
		return nil, &sendError{err: errors.New("its response is not that of a command")}
	case err == nil:
		return conn, nil
	case response != nil:
		response.Request = httpRequest
		return nil, decodeError(response)
	}
	opErr, isOpErr := errors.AsType[*net.OpError](err)
	return nil, &sendError{err: err, mayHaveArrived: !isOpErr || opErr.Op != "dial"}
}

// execution is one command at a daemon.
type execution struct {
	conn    *websocket.Conn
	command container.Command
	writing sync.Mutex // guards messages, which have one writer at a time
	done    chan struct{}
}

// sendInput sends the input and its end.
func (e *execution) sendInput() {
	buffer := make([]byte, execInputBytes)
	for {
		n, err := e.command.Stdin.Read(buffer)
		if n > 0 && e.send(api.ExecStdin, buffer[:n]) != nil {
			return
		}
		if err != nil {
			_ = e.send(api.ExecClose, []byte{byte(api.ExecStdin)})
			return
		}
	}
}

// sendSizes sends the sizes of the terminal.
func (e *execution) sendSizes() {
	for {
		select {
		case size, isOpen := <-e.command.Sizes:
			if !isOpen || e.send(api.ExecResize, api.Encode(size)) != nil {
				return
			}
		case <-e.done:
			return
		}
	}
}

func (e *execution) send(channel api.ExecChannel, data []byte) error {
	e.writing.Lock()
	defer e.writing.Unlock()
	_ = e.conn.SetWriteDeadline(time.Now().Add(execWriteTimeout))
	return e.conn.WriteMessage(websocket.BinaryMessage, slices.Concat([]byte{byte(channel)}, data))
}

// readOutput writes the output until the result.
func (e *execution) readOutput() (api.ExecResult, error) {
	e.conn.SetReadLimit(api.MaxExecMessageBytes)
	for {
		_, data, err := e.conn.ReadMessage()
		if err != nil {
			return api.ExecResult{}, fmt.Errorf("the connection ended before the command: %w", err)
		}
		if len(data) == 0 {
			continue
		}
		switch api.ExecChannel(data[0]) {
		case api.ExecStdout:
			err = writeOutput(e.command.Stdout, data[1:])
		case api.ExecStderr:
			err = writeOutput(e.command.Stderr, data[1:])
		case api.ExecResultChannel:
			return decodeResult(data[1:])
		case api.ExecStdin, api.ExecResize, api.ExecClose:
		}
		if err != nil {
			return api.ExecResult{}, err
		}
	}
}

func writeOutput(w io.Writer, data []byte) error {
	if w == nil {
		return nil
	}
	_, err := w.Write(data)
	return err
}

func decodeResult(data []byte) (result api.ExecResult, err error) {
	if err := json.Unmarshal(data, &result); err != nil {
		return result, fmt.Errorf("decode the result of the command: %w", err)
	}
	if result.ExitCode == nil && result.Error == nil {
		return result, errors.New("the result of the command is malformed: " + strconv.Quote(string(data)))
	}
	return result, nil
}
