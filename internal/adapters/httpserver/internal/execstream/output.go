package execstream

import (
	"time"

	"github.com/gorilla/websocket"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
)

// channelWriter writes the output of a command to its client. It blocks while the client does not read.
type channelWriter struct {
	session *Session
	channel api.ExecChannel
}

// Write implements io.Writer.
func (w channelWriter) Write(data []byte) (int, error) {
	sum := 0
	for len(data) > 0 {
		part := data[:min(len(data), api.MaxExecMessageBytes-1)]
		if err := w.session.send(w.channel, part, w.session.cfg.IdleTimeout); err != nil {
			w.session.fail(ErrClientLeft)
			return sum, err
		}
		w.session.idle.Reset(w.session.cfg.IdleTimeout)
		sum, data = sum+len(part), data[len(part):]
	}
	return sum, nil
}

// send sends one message.
func (s *Session) send(channel api.ExecChannel, data []byte, timeout time.Duration) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(timeout))
	message, err := s.conn.NextWriter(websocket.BinaryMessage)
	if err != nil {
		return err
	}
	if _, err = message.Write([]byte{byte(channel)}); err == nil {
		_, err = message.Write(data)
	}
	if err != nil {
		return err
	}
	return message.Close()
}

// sendResult sends the result, and the end of the connection. The client may have left.
func (s *Session) sendResult(exitCode int, err error) {
	result := api.ExecResult{ExitCode: &exitCode}
	if err != nil {
		result = api.ExecResult{Error: problem.From(err, nil)}
	}
	_ = s.send(api.ExecResultChannel, api.Encode(result), closeTimeout)
	farewell := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = s.conn.WriteControl(websocket.CloseMessage, farewell, time.Now().Add(closeTimeout))
}
