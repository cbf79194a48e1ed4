package order_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/order"
)

func state(revision int64, status string) order.State {
	return order.State{Revision: revision, Status: status, Container: "x", Identity: "a"}
}

// history has a put, an update, and reads: each starts when the former one has ended, except the last
// read, which is concurrent with the update at 5.
func history() []order.Call {
	zero := int64(0)
	return []order.Call{
		{Start: 0, Return: 1, Kind: order.Show},
		{Start: 2, Return: 3, Kind: order.Put, Revision: 11, State: state(0, "running"), If: &zero},
		{Start: 4, Return: 5, Kind: order.Show, State: state(11, "running")},
		{Start: 6, Return: 9, Kind: order.Update, Revision: 12, From: "running", To: "stopped", Container: "x"},
		{Start: 7, Return: 8, Kind: order.Show, State: state(11, "running")},
		{Start: 10, Return: 11, Kind: order.Conflict, State: state(12, "stopped"), From: "running"},
		{Start: 12, Return: 13, Kind: order.Touch, Revision: 13},
		{Start: 14, Return: 15, Kind: order.Other, Revision: 14, State: state(0, "running")},
		{Start: 16, Return: 17, Kind: order.Update, Revision: 15, To: "removed"},
		{Start: 18, Return: 19, Kind: order.Delete, Revision: 16},
		{Start: 20, Return: 21, Kind: order.Show},
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	require.Nil(t, order.Check(order.State{}, history()))
	for name, test := range map[string]struct {
		edit func(calls []order.Call)
		most int // calls of the shortest history
	}{
		"stale read":                        {func(c []order.Call) { c[4].Start, c[4].Return = 30, 31 }, 3},
		"read of the future":                {func(c []order.Call) { c[2].State = state(12, "stopped") }, 3},
		"another state":                     {func(c []order.Call) { c[2].State.Identity = "b" }, 3},
		"missing record":                    {func(c []order.Call) { c[2].State = order.State{} }, 3},
		"update of another status":          {func(c []order.Call) { c[3].From = "stopped" }, 3},
		"update of another container":       {func(c []order.Call) { c[3].Container = "y" }, 3},
		"put although there is a record":    {func(c []order.Call) { c[0] = c[1]; c[0].Start, c[0].Return, c[0].Revision = 0, 1, 10 }, 3},
		"conflict without a cause":          {func(c []order.Call) { c[5].From = "stopped" }, 3},
		"deletion of a running game":        {func(c []order.Call) { c[8].To = "stopped"; c[8].From = "running" }, 3},
		"revisions against the clock":       {func(c []order.Call) { c[6].Revision, c[7].Revision = 14, 13 }, 3},
		"update of an absent game":          {func(c []order.Call) { c[10] = c[6]; c[10].Start, c[10].Return, c[10].Revision = 20, 21, 17 }, 3},
		"deletion acknowledged before that": {func(c []order.Call) { c[10].Start, c[10].Return = 16, 16 }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			calls := history()
			test.edit(calls)
			v := order.Check(order.State{}, calls)
			require.NotNil(t, v)
			require.LessOrEqual(t, len(v.Calls), test.most, "%v", v.Calls)
			require.NotEmpty(t, v.Calls)
		})
	}
}

func TestLongHistoryIsCheckedInParts(t *testing.T) {
	t.Parallel()
	var calls []order.Call
	for i := range int64(50_000) {
		calls = append(calls, order.Call{Start: 4 * i, Return: 4*i + 5, Kind: order.Put, Revision: i + 1, State: state(0, "running")})
		calls = append(calls, order.Call{Start: 4*i + 1, Return: 4*i + 3, Kind: order.Show, State: state(i+1, "running")})
		if i%100 == 0 {
			calls[len(calls)-2].Return = 4*i + 3
		}
	}
	require.Nil(t, order.Check(order.State{}, calls))
	calls[80_001].State = state(1, "running")
	v := order.Check(order.State{}, calls)
	require.NotNil(t, v)
	require.Contains(t, v.Summary, "no order")
	require.Less(t, len(v.Calls), 4, "%v", v.Calls)

	concurrent := make([]order.Call, 20_001)
	for i := range concurrent {
		concurrent[i] = order.Call{Start: 0, Return: 1, Kind: order.Show}
	}
	v = order.Check(order.State{}, concurrent)
	require.NotNil(t, v)
	require.True(t, v.IsUndecided)
	require.NotEmpty(t, fmt.Sprint(v.Calls))
}

// Reads that are concurrent with many changes have very many orders. The search must not try all of them.
func TestManyConcurrentReadsAreDecided(t *testing.T) {
	t.Parallel()
	calls, end := []order.Call{}, int64(1000)
	for cycle := range int64(4) {
		at, revision := 10+100*cycle, 10+10*cycle
		calls = append(calls,
			order.Call{Start: at, Return: at + 1, Kind: order.Put, Revision: revision, State: state(0, "running")},
			order.Call{Start: at + 50, Return: at + 51, Kind: order.Update, Revision: revision + 1, To: "removed"},
			order.Call{Start: at + 60, Return: at + 61, Kind: order.Delete, Revision: revision + 2},
		)
		for range 20 {
			calls = append(calls, order.Call{Start: at, Return: end, Kind: order.Show, State: state(revision, "running")})
		}
	}
	for range 40 {
		calls = append(calls, order.Call{Start: 0, Return: end, Kind: order.Show})
	}
	require.Nil(t, order.Check(order.State{}, calls))
	stale := order.Call{Start: end - 1, Return: end, Kind: order.Show, State: state(10, "running")}
	v := order.Check(order.State{}, append(calls, stale))
	require.NotNil(t, v)
	require.False(t, v.IsUndecided)
	require.Len(t, v.Calls, 3)
}
