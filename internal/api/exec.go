package api

// ExecSubprotocol is the WebSocket subprotocol of commands in games. Each message is binary: one byte
// for the channel, and data. It is that of Kubernetes (v5.channel.k8s.io), with another result.
const ExecSubprotocol = "exec.v1.rtmanager"

// ExecChannel is the first byte of a message.
type ExecChannel byte

// The channels.
const (
	// ExecStdin is standard input, to the command.
	ExecStdin ExecChannel = 0
	// ExecStdout and ExecStderr are the output of the command. A terminal has ExecStdout only.
	ExecStdout ExecChannel = 1
	ExecStderr ExecChannel = 2
	// ExecResultChannel carries one ExecResult as JSON: the last message of the server.
	ExecResultChannel ExecChannel = 3
	// ExecResize carries a container.TerminalSize as JSON, to the command.
	ExecResize ExecChannel = 4
	// ExecClose ends the channel of the second byte: ExecStdin.
	ExecClose ExecChannel = 255
)

// MaxExecMessageBytes bounds one message of a client, and of a server.
const MaxExecMessageBytes = 64 << 10

// ExecResult is the result of a command: its exit code, or why there is none.
type ExecResult struct {
	ExitCode *int     `json:"exit_code,omitempty"`
	Error    *Problem `json:"error,omitempty"`
}
