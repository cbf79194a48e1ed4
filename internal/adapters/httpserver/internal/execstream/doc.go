// Package execstream carries the streams of one command over a WebSocket (RFC 6455), in the subprotocol
// of api.ExecSubprotocol.
//
//	session.go  Session: the upgrade, the command, and its result
//	input.go    messages of the client
//	output.go   messages of the server
package execstream
