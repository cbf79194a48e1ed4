package etcdstore

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// Revision implements ports.StoreInspector.
func (s *Store) Revision(ctx context.Context) (int64, error) {
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	revision, err := s.headFor(ctx)
	if err != nil {
		return 0, fmt.Errorf("revision: %w", err)
	}
	return revision, nil
}

// Info implements ports.StoreInspector. The revision comes from a linearizable
// read; what members say of themselves is asked of all at once, and not
// waited for longer than memberPatience.
func (s *Store) Info(ctx context.Context) (ports.StoreInfo, error) {
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return ports.StoreInfo{}, err
	}
	defer done()
	head, err := s.headFor(ctx)
	if err != nil {
		return ports.StoreInfo{}, fmt.Errorf("info: %w", err)
	}
	info := ports.StoreInfo{ID: s.id, Revision: head, SchemaVersion: layout.Version}
	if info.Members, err = s.members(ctx); err != nil {
		return ports.StoreInfo{}, fmt.Errorf("info: %w", err)
	}
	alarms, err := etcd.RetryRead(ctx, s.etcd, s.client.AlarmList)
	if err != nil {
		return ports.StoreInfo{}, fmt.Errorf("info: %w", err)
	}
	for _, a := range alarms.Alarms {
		info.Alarms = append(info.Alarms, fmt.Sprintf("%s on member %x", a.GetAlarm(), a.GetMemberID()))
	}
	return info, nil
}

func (s *Store) members(ctx context.Context) ([]ports.StoreMember, error) {
	list, err := etcd.RetryRead(ctx, s.etcd, func(ctx context.Context) (*clientv3.MemberListResponse, error) { return s.client.MemberList(ctx) })
	if err != nil {
		return nil, err
	}
	members := make([]ports.StoreMember, len(list.Members))
	for i, m := range list.Members {
		members[i] = ports.StoreMember{
			ID: fmt.Sprintf("%x", m.GetID()), Name: m.GetName(), ClientURLs: m.GetClientURLs(), Learner: m.GetIsLearner(),
			Error: "did not answer, or is not among the endpoints that this process talks to",
		}
	}
	endpoints := s.client.Endpoints()
	if len(endpoints) == 0 {
		endpoints = []string{""} // the in-process client has its one member
	}
	answers := make(chan *clientv3.StatusResponse)
	for _, endpoint := range endpoints {
		go func() { answers <- s.askMember(ctx, endpoint) }()
	}
	for range endpoints {
		if status := <-answers; status != nil {
			fillIn(members, status)
		}
	}
	return members, nil
}

// memberPatience bounds how long one member that is not there holds up what the
// others have to say.
const memberPatience = time.Second

// askMember returns what the member behind an endpoint says of itself, nil for
// one that does not answer.
func (s *Store) askMember(ctx context.Context, endpoint string) *clientv3.StatusResponse {
	ctx, cancel := context.WithTimeout(ctx, memberPatience)
	defer cancel()
	status, err := s.client.Status(ctx, endpoint)
	if err != nil {
		s.log.Debug("etcd member did not answer", "endpoint", endpoint, "error", err)
		return nil
	}
	return status
}

// fillIn adds what a member said of itself to its row. A row that nobody fills
// says so in Error.
func fillIn(members []ports.StoreMember, status *clientv3.StatusResponse) {
	for i := range members {
		if members[i].ID != fmt.Sprintf("%x", status.Header.GetMemberId()) {
			continue
		}
		m := &members[i]
		m.Error = ""
		m.Leader = status.Leader == status.Header.GetMemberId()
		m.Version, m.DBBytes, m.DBBytesInUse, m.QuotaBytes = status.Version, status.DbSize, status.DbSizeInUse, status.DbSizeQuota
	}
}
