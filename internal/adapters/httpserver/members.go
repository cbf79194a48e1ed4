package httpserver

import (
	"context"
	"fmt"
	"net/http"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/membership"
)

// Members describes and removes the etcd members of the store; package etcdcluster implements it
// and documents the errors. It is safe for concurrent use.
type Members interface {
	// Cluster describes the members, also while etcd has no quorum.
	Cluster(ctx context.Context) (membership.Cluster, error)
	// Remove removes a member, unless that is unsafe, and returns the effect.
	Remove(ctx context.Context, request membership.RemovalRequest) (membership.Removal, error)
}

// memberRoutes returns the routes that concern the etcd members.
func memberRoutes() []Route {
	const tag = "members"
	return []Route{
		withHandler(Route{
			Method: http.MethodGet, Path: "/v1/cluster/members", ID: "get-members", Tag: tag,
			Summary: "Describe the etcd members: which respond, how many may be lost", Responses: jsonResponse[api.ClusterMembers]("The members"),
			Description: "Works without a quorum: then local is true, and the list is the one that the member of the responding daemon has stored. " +
				"A member that hangs delays the response by a few seconds.",
			Codes: codes([]api.Code{api.CodeUnavailable, api.CodeNoEngine}),
		}, (*Server).getMembers),
		withHandler(Route{
			Method: http.MethodDelete, Path: "/v1/cluster/members/{name}", ID: "remove-member", Tag: tag,
			Summary: "Remove an etcd member, unless that would lose quorum", Responses: jsonResponse[api.MemberRemoval]("The effect of the removal"),
			Description: "unsafe_removal (409) means that the cluster would lose its quorum, or that the removal is probably a mistake; can_force " +
				"distinguishes them. A member is replaced only if it does not respond for several seconds.",
			Codes: codes(writeCodes(), []api.Code{api.CodeUnavailable, api.CodeNoEngine, api.CodeNoSuchMember, api.CodeUnsafeRemoval, api.CodeNoQuorum}), isDrained: true,
		}, (*Server).removeMember),
	}
}

// requireMembers returns the service of the etcd members.
func (s *Server) requireMembers() (Members, error) {
	if s.cfg.Members == nil {
		return nil, problem.New(api.CodeNoEngine, "this daemon does not know the members of etcd")
	}
	return s.cfg.Members, nil
}

// getMembers handles GET /v1/cluster/members.
func (s *Server) getMembers(w http.ResponseWriter, r *http.Request, _ *noInput) error {
	members, err := s.requireMembers()
	if err != nil {
		return err
	}
	cluster, err := members.Cluster(r.Context())
	if err != nil {
		return err
	}
	response := api.ClusterMembersFrom(cluster)
	response.Responder = s.self()
	now := s.cfg.Clock()
	response.Warnings = append(response.Warnings, cluster.Warnings(now)...)
	for _, file := range s.cfg.Certificates() {
		response.Certificates = append(response.Certificates, file)
		if days, expiresSoon := membership.ExpiresSoon(file.NotAfter, now); expiresSoon {
			response.Warnings = append(response.Warnings, fmt.Sprintf("%s: the certificate %s expires in %dd; renew it", s.self(), file.Use, days))
		}
	}
	return writeJSON(w, http.StatusOK, response)
}

type removeMemberInput struct {
	Name    string `path:"name" doc:"The name of the member, or its hexadecimal id, as one percent-encoded segment: eu%2Feu-1"`
	Replace bool   `query:"replace" doc:"Whether another member takes its place: the member must not respond"`
	Force   bool   `query:"force" doc:"Remove the member although that is probably a mistake; never if the cluster would lose its quorum"`
	DryRun  bool   `query:"dry_run" doc:"Return the effect, and change nothing"`
}

// removeMember handles DELETE /v1/cluster/members/{name}.
func (s *Server) removeMember(w http.ResponseWriter, r *http.Request, in *removeMemberInput) error {
	members, err := s.requireMembers()
	if err != nil {
		return err
	}
	request := membership.RemovalRequest{Name: in.Name, IsReplacement: in.Replace, IsForced: in.Force, IsDryRun: in.DryRun}
	trailOf(r.Context()).describe(in.Name, fmt.Sprintf("replace %t, force %t, dry run %t", in.Replace, in.Force, in.DryRun))
	removal, err := members.Remove(r.Context(), request)
	if err != nil {
		return err
	}
	if !in.DryRun {
		s.cfg.Logger.Warn("etcd member removed", "member", removal.Member.Label(), "id", removal.Member.HexID(), "replace", in.Replace, "forced", in.Force,
			"quorum", removal.After.String(), "actor", callers.Of(r.Context()).Identity.Subject)
	}
	return writeJSON(w, http.StatusOK, api.MemberRemovalFrom(removal, in.DryRun))
}
