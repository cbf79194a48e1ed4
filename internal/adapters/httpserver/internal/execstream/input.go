package execstream

import (
	"encoding/json"

	"github.com/gorilla/websocket"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/container"
)

// readMessages reads the messages of the client until the connection ends, which ends the session. It waits
// while the command does not read its input.
func (s *Session) readMessages() {
	defer func() { _ = s.input.Close() }()
	for {
		kind, data, err := s.conn.ReadMessage()
		if err != nil {
			s.fail(ErrClientLeft)
			return
		}
		s.idle.Reset(s.cfg.IdleTimeout)
		if kind != websocket.BinaryMessage || len(data) == 0 {
			s.fail(problem.New(api.CodeInvalid, "a message must be binary, with the byte of a channel"))
			continue
		}
		s.handle(api.ExecChannel(data[0]), data[1:])
	}
}

// handle handles one message. A message of an unknown channel is one of a later version.
func (s *Session) handle(channel api.ExecChannel, data []byte) {
	switch channel {
	case api.ExecStdin:
		_, _ = s.input.Write(data) // it fails when the command has ended or does not read
	case api.ExecClose:
		if len(data) == 1 && api.ExecChannel(data[0]) == api.ExecStdin {
			_ = s.input.Close()
		}
	case api.ExecResize:
		var size container.TerminalSize
		if json.Unmarshal(data, &size) != nil || size.Width == 0 || size.Height == 0 {
			return
		}
		select {
		case <-s.sizes: // replaced by the newer one
		default:
		}
		s.sizes <- size // this goroutine is the only sender
	case api.ExecStdout, api.ExecStderr, api.ExecResultChannel:
	}
}
