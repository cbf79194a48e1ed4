package httpserver

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/drift"
)

type applyInput struct {
	Actor     string `header:"Rtmanager-Actor" doc:"Who asks, for the ledger; text beyond ASCII in the notation of RFC 8187"`
	Forwarded string `header:"Rtmanager-Forwarded" hidden:"true"`
}

type applyOutput struct{ Body api.DriftApplied }

// applyDrift has each finding acted on by its node.
func (s *Server) applyDrift(ctx context.Context, in *applyInput) (*applyOutput, error) {
	var picked api.DriftApply
	if _, err := decodeBody(s.registry, s.bodies.apply, bodyOf(ctx), &picked); err != nil {
		return nil, err
	}
	origin, err := OriginInput{Actor: in.Actor}.origin("")
	if err == nil {
		err = origin.Validate()
	}
	if err != nil {
		return nil, s.fail(ctx, err, inRecordBody)
	}
	byPlace := map[place][]int{}
	for i, f := range picked.Findings {
		at := place{f.Region, f.Node}
		byPlace[at] = append(byPlace[at], i)
	}
	results := make([]drift.ApplyResult, len(picked.Findings))
	var asked sync.WaitGroup
	for at, indexes := range byPlace {
		asked.Go(func() {
			findings := make([]drift.Finding, len(indexes))
			for i, index := range indexes {
				findings[i] = picked.Findings[index]
			}
			for i, result := range s.applyAt(ctx, at, findings, origin.Actor, in.Forwarded != "") {
				results[indexes[i]] = result
			}
		})
	}
	asked.Wait()
	for _, r := range results {
		s.cfg.Logger.Info("finding", "verb", "apply", "id", r.ID, "game_id", r.GameID, "node", r.Region+"/"+r.Node, "action", r.Action, "result", r.Status, "reason", r.Reason, "actor", origin.Actor)
	}
	return &applyOutput{Body: api.DriftApplied{Results: results}}, nil
}

// applyAt acts on findings of one node, and returns a result for each.
func (s *Server) applyAt(ctx context.Context, at place, findings []drift.Finding, actor string, forwarded bool) []drift.ApplyResult {
	var results []drift.ApplyResult
	var err error
	switch {
	case at == s.self():
		results, err = s.applyHere(ctx, findings, actor)
	case forwarded:
		err = misrouted("", at, s.self())
	default:
		results, err = s.applyThere(ctx, at, findings, actor)
	}
	if err == nil && len(results) != len(findings) {
		err = fmt.Errorf("node %s answered for %d of %d findings", at, len(results), len(findings))
	}
	if err != nil {
		results = make([]drift.ApplyResult, len(findings))
		for i, f := range findings {
			results[i] = resultOf(f, drift.ApplyFailed, err.Error())
		}
	}
	return results
}

func (s *Server) applyThere(ctx context.Context, at place, findings []drift.Finding, actor string) ([]drift.ApplyResult, error) {
	node, err := s.nodeAt(ctx, at)
	if err != nil {
		return nil, err
	}
	var applied api.DriftApplied
	err = s.askPeer(ctx, *node, peerCall{method: http.MethodPost, path: routeApply, body: api.DriftApply{Findings: findings}, actor: actor}, &applied)
	return applied.Results, err
}

// applyHere acts on what this node itself finds now, where that is what was
// asked for: what a finding is to do is never taken from a request.
func (s *Server) applyHere(ctx context.Context, asked []drift.Finding, actor string) ([]drift.ApplyResult, error) {
	if err := s.needEngine(); err != nil {
		return nil, err
	}
	report, err := s.cfg.Manager.Drift(ctx)
	if err != nil {
		s.cfg.Logger.Error("drift of this node is not known", "error", err)
		return nil, problemOf(err, inRecordBody) // whose words are fit for strangers
	}
	results := make([]drift.ApplyResult, len(asked))
	var sound []drift.Finding
	var indexes []int
	for i, f := range asked {
		own, reason := present(report.Findings, f)
		if reason != "" {
			results[i] = resultOf(f, drift.ApplyStale, reason)
			continue
		}
		sound, indexes = append(sound, own), append(indexes, i)
	}
	if len(sound) == 0 {
		return results, nil
	}
	done, err := s.cfg.Manager.ApplyDrift(ctx, sound, actor)
	if err == nil && len(done) != len(sound) {
		err = fmt.Errorf("the node answered for %d of %d findings", len(done), len(sound))
	}
	for i, index := range indexes {
		if err != nil {
			results[index] = resultOf(sound[i], drift.ApplyFailed, problemOf(err, inRecordBody).Error())
			continue
		}
		results[index] = done[i]
	}
	return results, nil
}

// present returns the finding of the report that is the one asked for, or why
// there is none any more.
func present(findings []drift.Finding, asked drift.Finding) (drift.Finding, string) {
	i := slices.IndexFunc(findings, func(f drift.Finding) bool { return f.ID == asked.ID })
	if i < 0 {
		return asked, "is not found any more"
	}
	switch own := findings[i]; {
	case own.RecordRevision != asked.RecordRevision:
		return own, fmt.Sprintf("the record is at revision %d now, not at %d", own.RecordRevision, asked.RecordRevision)
	case own.IntentRevision != asked.IntentRevision:
		return own, fmt.Sprintf("the intent is at revision %d now, not at %d", own.IntentRevision, asked.IntentRevision)
	case asked.Action != "" && own.Action != asked.Action:
		return own, fmt.Sprintf("proposes %s now, not %s", own.Action, asked.Action)
	default:
		return own, ""
	}
}

func resultOf(f drift.Finding, status drift.ApplyStatus, reason string) drift.ApplyResult {
	return drift.ApplyResult{
		ID: f.ID, GameID: f.GameID, Region: f.Region, Node: f.Node, Action: f.Action, Status: status, Reason: reason,
	}
}

type releaseInput struct {
	Region    string `query:"region" doc:"The region of the node whose brake is to be released; absent is that of the daemon that answers"`
	Node      string `query:"node" doc:"The node whose brake is to be released; absent is the daemon that answers"`
	Forwarded string `header:"Rtmanager-Forwarded" hidden:"true"`
}

type releaseOutput struct{ Body api.Place }

// releaseBrake lets go on what the brake of a node held back.
func (s *Server) releaseBrake(ctx context.Context, in *releaseInput) (*releaseOutput, error) {
	if in.Region != "" && in.Node == "" {
		return nil, badRequest("query.node", "is required beside a region: each node has a brake of its own")
	}
	at := s.self()
	if in.Node != "" {
		at = place{cmp.Or(in.Region, s.cfg.Region), in.Node}
	}
	if err := s.releaseAt(ctx, at, in.Forwarded != ""); err != nil {
		s.cfg.Logger.Info("brake not released", "verb", "release", "node", at.String(), "error", err)
		return nil, s.fail(ctx, err, inQuery)
	}
	s.cfg.Logger.Info("brake released", "verb", "release", "node", at.String())
	return &releaseOutput{Body: api.Place{Region: at.region, Node: at.node}}, nil
}

func (s *Server) releaseAt(ctx context.Context, at place, forwarded bool) error {
	switch {
	case at == s.self():
		if err := s.needEngine(); err != nil {
			return err
		}
		return s.cfg.Manager.ReleaseBrake(ctx)
	case forwarded:
		return misrouted("", at, s.self())
	}
	node, err := s.nodeAt(ctx, at)
	if err != nil {
		return err
	}
	query := map[string][]string{"region": {at.region}, "node": {at.node}}
	return s.askPeer(ctx, *node, peerCall{method: http.MethodPost, path: routeRelease, query: query}, &api.Place{})
}
