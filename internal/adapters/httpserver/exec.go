package httpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/execstream"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/container"
)

// execRoute returns the route of commands in games.
func execRoute() Route {
	return withoutDeadline(withHandler(Route{
		Method: http.MethodGet, Path: runtimesPath + gameIDSegment + "/exec", ID: "exec-runtime", Tag: "operations",
		Summary: "Run a command in a running game, over a WebSocket", Description: execDescription,
		Responses: []Response{{
			Status: http.StatusSwitchingProtocols, Description: "The WebSocket is open",
			Headers: []ResponseHeader{{Name: "Sec-WebSocket-Protocol", Description: api.ExecSubprotocol, Type: reflect.TypeFor[string]()}},
		}},
		Codes:    codes(storeCodes(), nodeCodes(), []api.Code{api.CodeNotFound, api.CodeRejected, api.CodeTooManyStreams, api.CodeCrossOrigin}),
		isStream: true, isSecret: true,
	}, (*Server).execInGame))
}

const execDescription = "The request is the upgrade of RFC 6455 with the subprotocol " + api.ExecSubprotocol + ", over HTTP/1.1. Each message is binary: a byte for " +
	"the channel, and data. The client sends 0 (standard input), 255 0 (its end) and 4 (the size of the terminal, as {\"width\":80,\"height\":24}). " +
	"The server sends 1 (standard output), 2 (standard error), and last 3: {\"exit_code\":0}, or {\"error\":PROBLEM} without an exit code. Messages have at most 64 KiB.\n\n" +
	"The command has the variables and the directory of the game. It ends when the client disconnects, when the caller loses its roles, and when it had no " +
	"input and no output for 30 minutes. It is recorded in the audit log, without its input and output. Its output is that of the command: values of secrets are not " +
	"replaced, so the permission exec is one of its own. A request for a game of another node is forwarded to that node."

type execInput struct {
	gameInput
	Command   []string `query:"command" allowEmpty:"true" doc:"The program, and then each argument, in order"`
	Stdin     bool     `query:"stdin" doc:"Whether the command has standard input; otherwise that is empty"`
	TTY       bool     `query:"tty" doc:"Run the command on a terminal, whose output is standard output"`
	Forwarded string   `header:"Rtmanager-Forwarded" hidden:"true"`
}

// execInGame handles GET /v1/runtimes/{game_id}/exec.
func (s *Server) execInGame(w http.ResponseWriter, r *http.Request, in *execInput) error {
	if len(in.Command) == 0 || in.Command[0] == "" {
		return problem.BadRequest("query.command", "is required: the program, and then each argument")
	}
	if err := execstream.CheckRequest(r, w.Header()); err != nil {
		return err
	}
	text, _ := json.Marshal(in.Command)
	trail := trailOf(r.Context())
	trail.describe("", "command "+string(text))
	return s.serveOnNode(w, r, nodeRequest{gameID: in.GameID, isForwarded: in.Forwarded != "", permission: access.PermissionExec}, func(ctx context.Context) error {
		return s.runCommand(ctx, w, r, in)
	})
}

// runCommand runs the command in a game of this node.
func (s *Server) runCommand(ctx context.Context, w http.ResponseWriter, r *http.Request, in *execInput) error {
	if s.cfg.NoCommands {
		return problem.New(api.CodeForbidden, "this node runs no commands in games, by a setting of its daemon")
	}
	release, isAcquired := s.commands.acquire(access.FromContext(ctx))
	if !isAcquired {
		return problem.New(api.CodeTooManyStreams, fmt.Sprintf("this node runs its maximum of %d commands in games, or this caller half of it", s.cfg.MaxCommands))
	}
	defer release()
	trail := trailOf(r.Context())
	if err := trail.start(); err != nil {
		return err
	}
	ctx, end, err := s.running.Begin(ctx)
	if err != nil {
		return problem.ErrShuttingDown
	}
	defer end()
	session, err := execstream.Upgrade(w, r, execstream.Config{Ping: s.cfg.Heartbeat, IdleTimeout: s.cfg.CommandIdleTimeout})
	if err != nil || session == nil {
		return err
	}
	exitCode, err := session.Run(ctx, container.Command{Args: in.Command, HasTerminal: in.TTY}, in.Stdin, func(ctx context.Context, command container.Command) (int, error) {
		return s.cfg.Games.Exec(ctx, in.GameID, command)
	})
	result := fmt.Sprintf("exit code %d", exitCode)
	switch {
	case errors.Is(err, execstream.ErrClientLeft):
		result = err.Error()
	case err != nil:
		failure := *problem.From(err, nil)
		result = failure.Error()
		failure.Detail = trail.event.Detail + ": " + result
		trail.problem = &failure
	}
	trail.event.Detail += ": " + result
	s.cfg.Logger.Info("command in game has ended", "game_id", in.GameID, "actor", access.FromContext(ctx).Subject, "result", result)
	return nil
}
