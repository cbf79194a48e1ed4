package httpserver

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/logstream"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/container"
)

// logRoute returns the route of logs.
func logRoute() Route {
	return withoutDeadline(withHandler(Route{
		Method: http.MethodGet, Path: runtimesPath + gameIDSegment + "/logs", ID: "get-runtime-logs", Tag: "operations",
		Summary: "Read the log of a game, and follow it", Description: logDescription,
		Responses: []Response{{Status: http.StatusOK, Description: "The log", Content: map[string]reflect.Type{"text/plain": reflect.TypeFor[string]()}}},
		Codes:     codes(storeCodes(), nodeCodes(), []api.Code{api.CodeNotFound, api.CodeRejected, api.CodeTooManyStreams}),
		isStream:  true,
	}, (*Server).getLogs))
}

const logDescription = "The lines of standard output and standard error, oldest first. With follow=true the response ends when the game has " +
	"exited. A connection that ends early means that the log is incomplete. Values of the game's secrets are replaced; anything else that the game " +
	"prints is not.\n\n" +
	"A client that reads slowly delays the log, and one that reads nothing for 10 s is disconnected. rejected means that the game has no container. " +
	"A request for a game of another node is forwarded to that node."

type logsInput struct {
	gameInput
	Follow     bool   `query:"follow" doc:"Wait for further lines until the game has exited"`
	Tail       int64  `query:"tail" minimum:"-1" maximum:"2147483647" default:"-1" doc:"Only the last lines, at most this number; -1 is all of them"`
	Since      string `query:"since" doc:"Only lines since a time, as in 2026-01-02T15:04:05Z, or since a duration ago by the clock of the game's node, as in 10m"`
	Previous   bool   `query:"previous" doc:"Only what the container wrote before its latest start"`
	Timestamps bool   `query:"timestamps" doc:"Start each line with its time and a space; - if it is not known"`
	Forwarded  string `header:"Rtmanager-Forwarded" hidden:"true"`
}

func (in *logsInput) options(now time.Time) (container.LogOptions, error) {
	options := container.LogOptions{Tail: int(in.Tail), IsFollowing: in.Follow, IsPrevious: in.Previous}
	if in.Follow && in.Previous {
		return options, problem.BadRequest("query.follow", "cannot be combined with previous, which selects output that has ended")
	}
	if in.Since == "" {
		return options, nil
	}
	if age, err := time.ParseDuration(in.Since); err == nil && age >= 0 {
		options.Since = now.Add(-age)
		return options, nil
	}
	var err error
	if options.Since, err = time.Parse(time.RFC3339, in.Since); err != nil {
		return options, problem.BadRequest("query.since", "%q is neither a time like 2026-01-02T15:04:05Z nor a duration like 10m", request.Clip(in.Since))
	}
	return options, nil
}

// getLogs handles GET /v1/runtimes/{game_id}/logs.
func (s *Server) getLogs(w http.ResponseWriter, r *http.Request, in *logsInput) error {
	options, err := in.options(s.cfg.Clock())
	if err != nil {
		return err
	}
	return s.serveOnNode(w, r, nodeRequest{gameID: in.GameID, isForwarded: in.Forwarded != "", permission: access.PermissionRead}, func(ctx context.Context) error {
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Type", logstream.MediaType)
			return nil
		}
		return logstream.Write(ctx, w, s.cfg.Games.StreamLogs(ctx, in.GameID, options), logstream.Config{
			HasTimes: in.Timestamps, WriteTimeout: s.cfg.WriteTimeout, OpenDelay: s.cfg.OpenDelay,
		})
	})
}

// nodeRequest is a stream that the node of a game serves.
type nodeRequest struct {
	gameID      string
	isForwarded bool
	permission  access.Permission
	body        []byte
}

// serveOnNode calls serve if the game is on this node, and forwards the request to its node otherwise. The
// context of serve ends when the caller loses its rights, and when the server shuts down.
func (s *Server) serveOnNode(w http.ResponseWriter, r *http.Request, in nodeRequest, serve func(context.Context) error) error {
	if s.isShuttingDown() {
		return problem.ErrShuttingDown
	}
	locating, cancel := context.WithTimeout(r.Context(), s.requestTimeout())
	target, err := s.cfg.Cluster.Locate(locating, in.gameID, in.isForwarded)
	cancel()
	if err != nil {
		return err
	}
	region := s.cfg.Region
	if target != nil {
		region = target.Region
	}
	if err := callers.Of(r.Context()).CheckPlacement(in.permission, region, in.gameID); err != nil {
		return err
	}
	release, isAcquired := s.streams.acquire(callers.Of(r.Context()).Identity)
	if !isAcquired {
		return problem.New(api.CodeTooManyStreams, "this server has reached its limit of open streams, or this caller half of it")
	}
	defer release()
	ctx, stop := s.streamContext(r.Context())
	defer stop()
	if target != nil {
		return s.forwardRequest(ctx, w, r, *target, in.body)
	}
	err = serve(ctx)
	var interrupted *logstream.InterruptedError
	if errors.As(err, &interrupted) {
		s.cfg.Logger.Info("stream interrupted", "game_id", in.gameID, "error", err)
		panic(http.ErrAbortHandler) // the client must not treat the response as complete
	}
	return err
}

// streamContext returns a context that also ends when the caller loses its rights, and when the server
// shuts down, with the reason as its cause.
func (s *Server) streamContext(ctx context.Context) (bound context.Context, stop func()) {
	bound, cancel := context.WithCancelCause(ctx)
	stopWatch := callers.NewRevocation(ctx, s.cfg.Access).Watch(cancel)
	go func() {
		select {
		case <-s.closing:
			cancel(problem.ErrShuttingDown)
		case <-bound.Done():
		}
	}()
	return bound, func() {
		stopWatch()
		cancel(nil)
	}
}
