package regions_test

import (
	"net/http"
	"net/url"
	"testing"

	"galaxy/rtmanager/internal/testkit/regions"
)

// trial is a row of the table "What works when" in deploy/README.md.
type trial struct {
	name string
	run  func(*testing.T)
}

// What works when members are lost: rows of the table in deploy/README.md, for a cluster of three
// daemons with embedded members. Under every fault, clients in each region verify that no
// acknowledged write is lost, that no linearizable read is stale, and that no watch has a gap or a
// duplicate.
func TestWhatWorksWhenMembersAreLost(t *testing.T) {
	t.Parallel()
	runTrials(t, func(f *trialFixture) []trial {
		return []trial{
			{"a member is lost", f.loseFollower},
			{"two of three members are lost", f.loseQuorum},
			{"the leader is frozen", f.freezeLeader},
			{"the leader is lost", f.loseLeader},
		}
	})
}

// The other rows have a cluster of their own, so that both run at the same time.
func TestWhatWorksWhenARegionIsLost(t *testing.T) {
	t.Parallel()
	runTrials(t, func(f *trialFixture) []trial {
		return []trial{{"a region is cut off", f.cutOffRegion}, {"a disk is lost", f.loseDisk}}
	})
}

func runTrials(t *testing.T, trials func(f *trialFixture) []trial) {
	t.Helper()
	if testing.Short() {
		t.Skip("waits for the delays between regions")
	}
	for _, row := range trials(startTrialFixture(t)) {
		if !t.Run(row.name, row.run) {
			return // the next rows need a whole cluster
		}
	}
}

// requireOthersWork requires that everything works in two regions while the third is lost.
func (f *trialFixture) requireOthersWork(t *testing.T, one, two string) {
	t.Helper()
	f.requireSuccess(t, reads(one), writes(one), localReads(one), reads(two), writes(two), localReads(two), operations(one, one, two))
	f.requireCurrentWatches(t, one, two)
	f.requireNoInterruption(t, one, two)
}

// requireOnlyLocal requires that a daemon without a majority serves local reads, and rejects what it
// cannot prove.
func (f *trialFixture) requireOnlyLocal(t *testing.T, region, other string) {
	t.Helper()
	f.requireSuccess(t, localReads(region))
	f.requireUnready(t, region, "has no leader") // a write that was sent earlier waits for longer
	f.requireRejection(t, noQuorum(), reads(region), writes(region), operations(region, region, other))
	f.requireNoInterruption(t, region)
}

// loseFollower loses the member of AP, which remains lost in the next row.
func (f *trialFixture) loseFollower(t *testing.T) {
	f.begin(f.kill(regions.AP))
	f.requireOthersWork(t, regions.EU, regions.US)
	f.requireRejection(t, nodeLost(), operations(regions.US, regions.AP))
	f.requireSteadyGames(t, regions.Names()...)
	f.stats.repair()
	f.logTimes(t, "follower ap lost")
}

func (f *trialFixture) loseQuorum(t *testing.T) {
	f.begin(f.kill(regions.US))
	f.requireOnlyLocal(t, regions.EU, regions.AP)
	f.end(t, "members us and ap lost", f.restart(regions.US, regions.AP))
}

// freezeLeader freezes the member of EU, which is a follower afterwards.
func (f *trialFixture) freezeLeader(t *testing.T) {
	f.cluster.MoveLeader(regions.EU)
	f.begin(f.suspend(regions.EU))
	f.requireOthersWork(t, regions.US, regions.AP)
	f.end(t, "leader eu frozen", f.resume(regions.EU))
}

func (f *trialFixture) loseLeader(t *testing.T) {
	f.cluster.MoveLeader(regions.EU)
	f.begin(f.kill(regions.EU))
	f.requireOthersWork(t, regions.US, regions.AP)
	f.requireRejection(t, nodeLost(), operations(regions.US, regions.EU))
	f.end(t, "leader eu lost", f.restart(regions.EU))
}

func (f *trialFixture) cutOffRegion(t *testing.T) {
	f.cluster.MoveLeader(regions.EU)
	f.begin(f.isolate(regions.AP))
	together(
		func() { f.requireOthersWork(t, regions.EU, regions.US) },
		func() { f.requireOnlyLocal(t, regions.AP, regions.US) },
		func() { f.requireRejection(t, nodeLost(), operations(regions.US, regions.AP)) },
	)
	f.end(t, "region ap cut off", f.cluster.Network.Repair)
}

// loseDisk loses the host of AP with its games. A new host with an empty disk takes its place, and
// the operator starts the lost games.
func (f *trialFixture) loseDisk(t *testing.T) {
	f.begin(f.daemons[regions.AP].LoseDisk)
	f.requireSuccess(t, reads(regions.US), writes(regions.US), operations(regions.US, regions.US))
	f.stats.repair()
	f.requireSuccess(t, []probe{{"replace", regions.EU, http.MethodDelete, "/v1/cluster/members/" + url.PathEscape(regions.MemberName(regions.AP)) + "?replace=true", nil}})
	f.daemons[regions.AP].Start()
	var starts []probe
	for _, game := range []string{steadyOf(regions.AP), targetOf(regions.AP)} {
		starts = append(starts, probe{"start of " + game, regions.AP, http.MethodPost, "/v1/runtimes/" + game + "/start", map[string]any{}})
	}
	f.requireSuccess(t, starts)
	f.steady[regions.AP] = f.record(t, regions.EU, steadyOf(regions.AP)).CurrentContainerID
	f.requireRecovery(t)
	f.logTimes(t, "disk of ap lost")
}
