package httpserver

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"galaxy/rtmanager/internal/api"
)

// readyTimeout bounds the store's answer to a readiness probe.
const readyTimeout = 2 * time.Second

type emptyInput struct{}

type clusterOutput struct{ Body api.Cluster }

func (s *Server) getCluster(ctx context.Context, _ *emptyInput) (*clusterOutput, error) {
	info, err := s.store.Info(ctx)
	if err != nil {
		return nil, s.fail(ctx, err, inQuery)
	}
	cluster := api.ClusterFrom(info)
	cluster.Version, cluster.Region, cluster.Node = s.cfg.Version, s.cfg.Region, s.cfg.Node
	return &clusterOutput{Body: cluster}, nil
}

type checkOutput struct{ Body api.Check }

func (s *Server) checkStore(repair bool) func(context.Context, *emptyInput) (*checkOutput, error) {
	return func(ctx context.Context, _ *emptyInput) (*checkOutput, error) {
		report, err := s.store.Check(ctx, repair)
		if repair {
			s.cfg.Logger.Info("repair", "findings", len(report.Findings), "revision", report.Revision, "error", err)
		}
		if err != nil {
			return nil, s.fail(ctx, err, inQuery)
		}
		return &checkOutput{Body: api.CheckFrom(report)}, nil
	}
}

// health is the answer of the two probes.
type health struct {
	Status string        `json:"status" enum:"ok,unready" doc:"The verdict"`
	Checks []healthCheck `json:"checks" nullable:"false" doc:"What it rests on"`
}

type healthCheck struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

type healthOutput struct {
	Status int
	Body   health
}

// getHealth says that the process serves. It never touches the store, so that a
// store in trouble does not get the daemon restarted.
func (s *Server) getHealth(context.Context, *emptyInput) (*healthOutput, error) {
	return &healthOutput{Status: http.StatusOK, Body: health{Status: "ok", Checks: []healthCheck{}}}, nil
}

// getReady says whether requests should be sent here.
func (s *Server) getReady(ctx context.Context, _ *emptyInput) (*healthOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	serving := healthCheck{Name: "serving", OK: !s.shuttingDown()}
	if !serving.OK {
		serving.Error = "server is shutting down"
	}
	_, err := s.store.Revision(ctx)
	store := healthCheck{Name: "store", OK: err == nil}
	if err != nil {
		store.Error = problemOf(err, inQuery).Detail
	}
	out := &healthOutput{Status: http.StatusOK, Body: health{Status: "ok", Checks: []healthCheck{serving, store}}}
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Ready)) {
		check := healthCheck{Name: name, OK: true}
		if err := s.cfg.Ready[name](); err != nil {
			check.OK, check.Error = false, err.Error()
		}
		out.Body.Checks = append(out.Body.Checks, check)
	}
	if slices.ContainsFunc(out.Body.Checks, func(c healthCheck) bool { return !c.OK }) {
		out.Status, out.Body.Status = http.StatusServiceUnavailable, "unready"
	}
	return out, nil
}
