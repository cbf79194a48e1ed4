package membership_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/membership"
)

// clusterOf returns a cluster of members m1, m2, …, one for each character: v a voter that
// responds, V one that does not, l and L learners.
func clusterOf(states string) membership.Cluster {
	var c membership.Cluster
	for i, state := range states {
		m := membership.Member{ID: uint64(i + 1), Name: fmt.Sprintf("m%d", i+1)}
		m.IsLearner = state == 'l' || state == 'L'
		if state == 'V' || state == 'L' {
			m.Failure = "connection refused"
		}
		c.Members = append(c.Members, m)
	}
	return c
}

func TestQuorum(t *testing.T) {
	t.Parallel()
	for states, want := range map[string]string{
		"v":      "1 member, none may be lost",
		"vv":     "2 members, none may be lost",
		"vvv":    "3 members, 1 may be lost",
		"vvvv":   "4 members, 1 may be lost",
		"vvvvv":  "5 members, 2 may be lost",
		"vvV":    "3 members, 2 respond, none may be lost",
		"vVV":    "3 members, no quorum: 1 of 2 required respond",
		"vvvVV":  "5 members, 3 respond, none may be lost",
		"vvvl":   "3 members and 1 learner, 1 may be lost",
		"vvLl":   "2 members and 2 learners, none may be lost",
		"vvvvvv": "6 members, 2 may be lost",
	} {
		require.Equal(t, want, clusterOf(states).Quorum().String(), states)
	}
	require.Empty(t, clusterOf("vvv").Quorum().Advice())
	require.Equal(t, "4 members tolerate no more losses than 3 members; use an odd number", clusterOf("vvvv").Quorum().Advice())
}

func TestPlanRemoval(t *testing.T) {
	t.Parallel()
	const (
		none   = "" // carried out
		unsafe = "refused"
		forced = "refused unless forced"
		lost   = "no quorum"
	)
	for _, c := range []struct {
		states  string
		member  int
		remove  string
		replace string
		after   int // tolerated losses afterwards, if carried out
	}{
		{"v", 1, unsafe, unsafe, 0},
		{"vl", 1, unsafe, unsafe, 0},
		{"vl", 2, none, forced, 0},
		{"vL", 2, none, none, 0},
		{"vv", 1, none, forced, 0},
		{"vV", 1, lost, lost, 0},
		{"vV", 2, lost, lost, 0},
		{"vvv", 1, none, forced, 0},
		{"vvV", 3, none, none, 0},
		{"vvV", 1, unsafe, unsafe, 0},
		{"vVV", 3, lost, lost, 0},
		{"vvvl", 4, none, forced, 1},
		{"vvVL", 4, none, none, 0},
		{"vvvv", 1, none, forced, 1},
		{"vvvV", 4, none, none, 1},
		{"vvvV", 1, forced, forced, 0},
		{"vvvvv", 1, none, forced, 1},
		{"vvvvV", 5, none, none, 1},
		{"vvvvV", 1, forced, forced, 0},
		{"vvvVV", 1, unsafe, unsafe, 0},
		{"vvvVV", 5, none, none, 0},
		{"vvVVV", 5, lost, lost, 0},
	} {
		for _, isReplacement := range []bool{false, true} {
			want := c.remove
			if isReplacement {
				want = c.replace
			}
			for _, isForced := range []bool{false, true} {
				name := fmt.Sprintf("%s, member %d, replacement %t, forced %t", c.states, c.member, isReplacement, isForced)
				request := membership.RemovalRequest{Name: fmt.Sprintf("m%d", c.member), IsReplacement: isReplacement, IsForced: isForced}
				plan, err := membership.PlanRemoval(clusterOf(c.states), request)
				switch {
				case want == lost:
					require.ErrorIs(t, err, membership.ErrNoQuorum, name)
				case want == unsafe || want == forced && !isForced:
					var refused *membership.UnsafeError
					require.ErrorAs(t, err, &refused, name)
					require.ErrorIs(t, err, membership.ErrUnsafe)
					require.Equal(t, want == forced, refused.CanForce, name)
				default:
					require.NoError(t, err, name)
					require.False(t, plan.After.IsLost(), name)
					require.Equal(t, c.after, plan.After.Tolerated(), name)
					require.Len(t, plan.Remaining, len(c.states)-1, name)
				}
			}
		}
	}
}

func TestWarningsOfARemoval(t *testing.T) {
	t.Parallel()
	c := clusterOf("vvv")
	c.Members[0].IsLeader, c.Members[0].IsOwn = true, true
	plan, err := membership.PlanRemoval(c, membership.RemovalRequest{Name: "m1"})
	require.NoError(t, err)
	require.Equal(t, []string{
		"the daemon that carries this out embeds the member, and stops",
		"the member is the leader: another one becomes the leader first",
		"after this, the loss of one more member stops all writes",
		"2 members tolerate no more losses than 1 member; use an odd number",
	}, plan.Warnings)
	c.Members[1].RaftLag = 5
	plan, err = membership.PlanRemoval(c, membership.RemovalRequest{Name: "m1"})
	require.NoError(t, err)
	next, isFound := plan.NextLeader()
	require.True(t, isFound)
	require.Equal(t, "m3", next.Name, "the one that is least behind")
	plan, err = membership.PlanRemoval(clusterOf("vv"), membership.RemovalRequest{Name: "2"})
	require.NoError(t, err, "a member is named by its id")
	require.Equal(t, "m2", plan.Member.Name)
	require.Contains(t, plan.Warnings, "after this, one member has the only copy of the records")
}

func TestWarningsOfACluster(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	require.Empty(t, clusterOf("vvv").Warnings(now))
	c := clusterOf("vvvVl")
	slow, fast := membership.Timing{Heartbeat: 200 * time.Millisecond}, membership.Timing{Heartbeat: 100 * time.Millisecond}
	c.Timing, c.Members[0].Timing, c.Members[1].Timing = slow, fast, slow
	c.Members[1].CertificateNotAfter = now.Add(25 * time.Hour)
	c.Members[1].Failure, c.Members[1].HasPeer = "connection refused", true
	c.Members[2].Problems = []string{"memberID:3 alarm:NOSPACE"}
	c.Members[4].Name = ""
	require.Equal(t, []string{
		"4 members tolerate no more losses than 3 members; use an odd number",
		"m1: runs with a heartbeat of 100ms in place of 200ms; restart its daemon",
		"m2: responds to members only, not to clients",
		"m2: its certificate expires in 1 day; renew it",
		"m3: reports memberID:3 alarm:NOSPACE",
		"m4: does not respond; start its daemon, or replace it",
		"5: the learner has not started; complete its join, or remove it",
	}, c.Warnings(now))
	require.Equal(t, []string{"writes and linearizable reads fail until 2 members respond; start the daemons that do not, or restore a backup"}, clusterOf("vVV").Warnings(now))
	c = clusterOf("vvv")
	c.IsLocal = true
	require.Equal(t, []string{"no quorum confirms the list of members, although members respond: they may not reach each other"}, c.Warnings(now))
}

func TestRemovalOfAnUnknownMember(t *testing.T) {
	t.Parallel()
	c := clusterOf("vvv")
	c.Members[2].Name = ""
	_, err := membership.PlanRemoval(c, membership.RemovalRequest{Name: "m9"})
	require.ErrorIs(t, err, membership.ErrNotFound)
	require.EqualError(t, err, `no member "m9" in the cluster; its members are m1, m2, 3`)
	c.Members[1].Name = "m1"
	_, err = membership.PlanRemoval(c, membership.RemovalRequest{Name: "m1"})
	require.ErrorContains(t, err, "2 members have this name; name one of them by its id: [1 2]")
	_, err = membership.PlanRemoval(c, membership.RemovalRequest{Name: ""})
	require.ErrorIs(t, err, membership.ErrNotFound, "a member without a name is not selected by an empty one")
}

// A list that no quorum has confirmed permits no change, although members respond.
func TestRemovalFromALocalList(t *testing.T) {
	t.Parallel()
	c := clusterOf("vvv")
	c.IsLocal = true
	_, err := membership.PlanRemoval(c, membership.RemovalRequest{Name: "m3", IsForced: true})
	require.ErrorIs(t, err, membership.ErrNoQuorum)
}
