package httpserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

// forwardOperation has another node carry the operation out, and gives its answer
// on as it comes. Of the request, only what this API knows is passed on.
func (s *Server) forwardOperation(w http.ResponseWriter, r *http.Request, node node.Node, request ports.OperationRequest, body []byte) {
	query := url.Values{}
	if wait := r.URL.Query().Get("wait"); wait != "" {
		query.Set("wait", wait)
	}
	address, err := addressOf(node, runtimesPath+url.PathEscape(request.GameID)+"/"+string(request.Kind), query)
	if err != nil {
		writeProblem(w, problemOf(err, inRecordBody))
		return
	}
	ctx, done := s.whilePresent(r.Context(), node)
	defer done()
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	inbound := r.Clone(traced)
	inbound.Body, inbound.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	proxy := &httputil.ReverseProxy{
		Transport: roundTrip(func(out *http.Request) (*http.Response, error) {
			// Without the proxy's own trace, which gives on informational responses
			// and clears our headers behind them.
			return s.finalAnswer(out.WithContext(traced))
		}),
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL, p.Out.Host = address, address.Host
			p.Out.Header = s.forwardedHeader(p.In.Header, request.Origin)
		},
		ModifyResponse: ourAnswer,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			s.unforwarded(ctx, w, node, request, connected.Load(), err)
		},
	}
	s.cfg.Logger.Debug("operation passed on", "game_id", request.GameID, "operation_id", request.Origin.OperationID, "to", placeOf(node).String())
	proxy.ServeHTTP(&patientWriter{ResponseWriter: w, timeout: s.cfg.WriteTimeout}, inbound)
}

// roundTrip is a function as an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// finalAnswer returns the answer as a copy, which trailers do not reach: they are
// put into the original once the body is read.
func (s *Server) finalAnswer(out *http.Request) (*http.Response, error) {
	response, err := s.peers.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	answer := *response
	answer.Trailer = nil
	return &answer, nil
}

// forwardedHeader is everything that another node is told of a request.
func (s *Server) forwardedHeader(given http.Header, origin ports.Origin) http.Header {
	header := http.Header{}
	header.Set(api.HeaderForwarded, api.EncodeHeaderText(s.self().String()))
	header.Set("Content-Type", "application/json")
	if accept := given.Values("Accept"); len(accept) > 0 {
		header["Accept"] = accept
	}
	for name, text := range map[string]string{
		api.HeaderIdempotencyKey: origin.OperationID, api.HeaderActor: origin.Actor, api.HeaderReason: origin.Reason,
	} {
		if text != "" {
			header.Set(name, api.EncodeHeaderText(text))
		}
	}
	return header
}

// ourAnswer keeps what is not an answer of the API from being taken for one, and
// of its headers those that this server has not set itself.
func ourAnswer(response *http.Response) error {
	switch code := response.StatusCode; {
	case code == http.StatusOK, code == http.StatusAccepted:
	case code >= http.StatusBadRequest && response.Header.Get("Content-Type") == api.ProblemMediaType:
	default:
		return fmt.Errorf("it answered %s, which is not an answer of the API", response.Status)
	}
	passed := []string{"Content-Type", "Content-Length", "Retry-After", "X-Accel-Buffering", api.HeaderHeartbeat}
	for name := range response.Header {
		if !slices.Contains(passed, name) {
			response.Header.Del(name)
		}
	}
	return nil
}

// unforwarded answers for a node that did not.
func (s *Server) unforwarded(ctx context.Context, w http.ResponseWriter, target node.Node, request ports.OperationRequest, connected bool, err error) {
	err = unanswered(ctx, target, err)
	p := problemOf(err, inRecordBody)
	if connected {
		// It may have begun, and may go on: that must not look like a refusal.
		p = unfinished(request, operation.Progress{}, err.Error())
		p.Region, p.Node = target.Region, target.Name
	}
	if !errors.Is(ctx.Err(), context.Canceled) || errors.Is(context.Cause(ctx), node.ErrUnreachable) {
		s.cfg.Logger.Error("operation could not be passed on", "game_id", request.GameID,
			"operation_id", request.Origin.OperationID, "to", placeOf(target).String(), "error", err)
	}
	writeProblem(w, p)
}

// patientWriter gives each write its own time, for answers that come over long.
type patientWriter struct {
	http.ResponseWriter
	timeout time.Duration
}

func (p *patientWriter) Write(text []byte) (int, error) {
	_ = http.NewResponseController(p.ResponseWriter).SetWriteDeadline(time.Now().Add(p.timeout))
	return p.ResponseWriter.Write(text)
}

// Unwrap lets http.ResponseController find the connection.
func (p *patientWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }
