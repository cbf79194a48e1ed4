package etcdstore

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/fsck"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// Revision implements ports.StoreInspector.
func (s *Store) Revision(ctx context.Context) (int64, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	revision, err := s.currentRevision(ctx)
	if err != nil {
		return 0, fmt.Errorf("revision: %w", err)
	}
	return revision, nil
}

// Check implements ports.StoreInspector. It reads every key once, in pages at one revision.
func (s *Store) Check(ctx context.Context, repair bool) (ports.CheckReport, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return ports.CheckReport{}, err
	}
	defer end()
	checker, err := etcd.RetryOnCompaction(ctx, func(ctx context.Context) (*fsck.Checker, error) {
		return fsck.Check(ctx, s.etcd, s.keys, 0)
	})
	if err != nil {
		return ports.CheckReport{}, fmt.Errorf("check: %w", err)
	}
	if repair {
		checker.Repair(ctx)
	}
	return checker.Report(), nil
}

// Info implements ports.StoreInspector. The revision comes from a linearizable read. All
// members are queried concurrently, for at most memberTimeout.
func (s *Store) Info(ctx context.Context) (ports.StoreInfo, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return ports.StoreInfo{}, err
	}
	defer end()
	info, err := s.readInfo(ctx)
	if err != nil {
		return ports.StoreInfo{}, fmt.Errorf("info: %w", err)
	}
	return info, nil
}

func (s *Store) readInfo(ctx context.Context) (ports.StoreInfo, error) {
	revision, err := s.currentRevision(ctx)
	if err != nil {
		return ports.StoreInfo{}, err
	}
	info := ports.StoreInfo{ID: s.id, Revision: revision, SchemaVersion: layout.Version}
	if info.Members, err = s.members(ctx); err != nil {
		return ports.StoreInfo{}, err
	}
	alarms, err := etcd.RetryRead(ctx, s.etcd, s.etcd.Raw.AlarmList)
	if err != nil {
		return ports.StoreInfo{}, err
	}
	for _, a := range alarms.Alarms {
		info.Alarms = append(info.Alarms, fmt.Sprintf("%s on member %x", a.GetAlarm(), a.GetMemberID()))
	}
	return info, nil
}

func (s *Store) members(ctx context.Context) ([]ports.StoreMember, error) {
	list, err := etcd.RetryRead(ctx, s.etcd, func(ctx context.Context) (*clientv3.MemberListResponse, error) {
		return s.etcd.Raw.MemberList(ctx)
	})
	if err != nil {
		return nil, err
	}
	members := make([]ports.StoreMember, len(list.Members))
	for i, m := range list.Members {
		members[i] = ports.StoreMember{
			ID: fmt.Sprintf("%x", m.GetID()), Name: m.GetName(), ClientURLs: m.GetClientURLs(), Learner: m.GetIsLearner(),
			Error: "did not respond, or is not among the endpoints of this process",
		}
	}
	endpoints := s.etcd.Raw.Endpoints()
	if len(endpoints) == 0 {
		endpoints = []string{""} // the in-process client has its one member
	}
	statuses := make(chan *clientv3.StatusResponse)
	for _, endpoint := range endpoints {
		go func() { statuses <- s.memberStatus(ctx, endpoint) }()
	}
	for range endpoints {
		if status := <-statuses; status != nil {
			mergeStatus(members, status)
		}
	}
	return members, nil
}

// memberTimeout bounds how long a member that does not respond delays the others.
const memberTimeout = time.Second

// memberStatus returns the status of the member at an endpoint, nil if it does not respond.
func (s *Store) memberStatus(ctx context.Context, endpoint string) *clientv3.StatusResponse {
	ctx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	status, err := s.etcd.Raw.Status(ctx, endpoint)
	if err != nil {
		s.logger.Debug("etcd member did not respond", "endpoint", endpoint, "error", err)
		return nil
	}
	return status
}

// mergeStatus adds a status to the member that reported it, and clears that member's Error.
func mergeStatus(members []ports.StoreMember, status *clientv3.StatusResponse) {
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
