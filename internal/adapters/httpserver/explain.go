package httpserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

type explainInput struct {
	GameInput
	Forwarded string `header:"Rtmanager-Forwarded" hidden:"true"`
}

type explainOutput struct{ Body drift.Explanation }

// explainRuntime answers from the game's own node, which alone sees its container.
// When that is not to be reached, what the store knows is told here, with what is
// missing said to be so.
func (s *Server) explainRuntime(ctx context.Context, in *explainInput) (*explainOutput, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	home, _, err := s.homeOf(ctx, id)
	if err != nil && !errors.Is(err, runtime.ErrNotFound) {
		return nil, s.fail(ctx, err, inPath)
	}
	elsewhere := home.node != "" && home != s.self()
	switch {
	case elsewhere && in.Forwarded != "":
		return nil, misrouted(id, home, s.self())
	case elsewhere:
		page, err := s.explainFrom(ctx, home, id)
		if s.cfg.Manager == nil || !errors.Is(err, node.ErrUnreachable) {
			return s.explained(ctx, page, err)
		}
		local, errLocal := s.cfg.Manager.Explain(ctx, id)
		local.Warnings = append(local.Warnings, err.Error()+"; its containers, their log and what it found are not shown")
		return s.explained(ctx, local, errLocal)
	}
	if err := s.needEngine(); err != nil {
		return nil, err
	}
	page, err := s.cfg.Manager.Explain(ctx, id)
	return s.explained(ctx, page, err)
}

func (s *Server) explainFrom(ctx context.Context, home place, id string) (drift.Explanation, error) {
	var page drift.Explanation
	node, err := s.nodeAt(ctx, home)
	if err != nil {
		return page, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.PeerTimeout)
	defer cancel()
	err = s.askPeer(ctx, *node, peerCall{method: http.MethodGet, path: runtimesPath + url.PathEscape(id) + "/explain"}, &page)
	return page, err
}

// explained answers with lists that are empty where there is nothing.
func (s *Server) explained(ctx context.Context, page drift.Explanation, err error) (*explainOutput, error) {
	if err != nil {
		return nil, s.fail(ctx, err, inPath)
	}
	page.History = orEmpty(page.History)
	page.Containers = orEmpty(page.Containers)
	page.Logs = orEmpty(page.Logs)
	page.Findings = orEmpty(page.Findings)
	page.Warnings = orEmpty(page.Warnings)
	return &explainOutput{Body: page}, nil
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
