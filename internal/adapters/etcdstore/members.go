package etcdstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/ports"
)

// memberTimeout bounds how long a member that does not respond delays Info.
const memberTimeout = time.Second

// statuses reads the status of every endpoint concurrently. The status of a member that does
// not respond is nil.
func (s *Store) statuses(ctx context.Context) []*clientv3.StatusResponse {
	endpoints := s.etcd.Endpoints()
	if len(endpoints) == 0 {
		endpoints = []string{""} // the in-process client has its one member
	}
	ctx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	found := make([]*clientv3.StatusResponse, len(endpoints))
	var wg sync.WaitGroup
	for i, endpoint := range endpoints {
		wg.Go(func() {
			status, err := s.etcd.Raw.Status(ctx, endpoint)
			if err != nil {
				s.logger.Debug("etcd member did not respond", "endpoint", endpoint, "error", err)
				return
			}
			found[i] = status
		})
	}
	wg.Wait()
	return found
}

// mergeStatuses returns the members with what they have reported, nil for no response.
func mergeStatuses(list *clientv3.MemberListResponse, statuses []*clientv3.StatusResponse) []ports.StoreMember {
	members := make([]ports.StoreMember, len(list.Members))
	for i, m := range list.Members {
		members[i] = ports.StoreMember{
			ID: fmt.Sprintf("%x", m.GetID()), Name: m.GetName(), ClientURLs: m.GetClientURLs(), Learner: m.GetIsLearner(),
			Error: "did not respond, or is not among the endpoints of this process",
		}
		for _, status := range statuses {
			if status != nil && status.Header.GetMemberId() == m.GetID() {
				addStatus(&members[i], status)
			}
		}
	}
	return members
}

// addStatus adds what a member has reported, and clears its Error.
func addStatus(m *ports.StoreMember, status *clientv3.StatusResponse) {
	m.Error = ""
	m.Leader = status.Leader == status.Header.GetMemberId()
	m.Version, m.DBBytes, m.DBBytesInUse, m.QuotaBytes = status.Version, status.DbSize, status.DbSizeInUse, status.DbSizeQuota
}
