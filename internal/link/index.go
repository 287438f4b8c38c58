// SPDX-License-Identifier: Apache-2.0

package link

// list is a kind of index over the open requests of processes that call out, or over calls.
type list uint8

const (
	byThread list = iota
	byTask
	byRequest
	byTarget
	byContext
	byCaller // calls, by their task, while its answer is awaited ...
	byWaiter // ... and by the task that waits for that one
	numLists
)

type listKey struct {
	list list
	tgid uint32
	a, b uint64
}

// hook is a node's place in one list.
type hook struct {
	prev, next *Node
	key        listKey
	in         bool
}

// add puts n into the list of key.
func (l *Linker) add(n *Node, key listKey) {
	h := &n.hooks[key.list]
	*h = hook{key: key, in: true, next: l.lists[key]}
	if h.next != nil {
		h.next.hooks[key.list].prev = n
	}
	l.lists[key] = n
}

// drop takes n out of all lists.
func (l *Linker) drop(n *Node) {
	for i := range n.hooks {
		h := &n.hooks[i]
		if !h.in {
			continue
		}
		if h.next != nil {
			h.next.hooks[i].prev = h.prev
		}
		switch {
		case h.prev != nil:
			h.prev.hooks[i].next = h.next
		case h.next != nil:
			l.lists[h.key] = h.next
		default:
			delete(l.lists, h.key)
		}
		*h = hook{}
	}
}

// only returns the single node of a list; many says that there are several.
func (l *Linker) only(key listKey) (n *Node, many bool) {
	n = l.lists[key]
	if n != nil && n.hooks[key.list].next != nil {
		return nil, true
	}
	return n, false
}

// index makes an open request findable by what a call may have in common with it.
func (l *Linker) index(n *Node) {
	tgid := n.proc.tgid
	if n.target != 0 {
		l.add(n, listKey{list: byTarget, tgid: tgid, a: n.target})
	}
	l.add(n, listKey{list: byThread, tgid: tgid, a: uint64(n.tid)})
	if n.task != 0 {
		l.add(n, listKey{list: byTask, tgid: tgid, a: n.task})
	}
	if n.request != 0 {
		l.add(n, listKey{list: byRequest, tgid: tgid, a: n.request})
	}
	if n.context {
		l.add(n, contextKey(tgid, n))
	}
}
