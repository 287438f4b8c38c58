// SPDX-License-Identifier: Apache-2.0

package caps

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Suspend makes keep all that the threads of this process may use until Drop or
// another Suspend. What is given up here can still be taken back.
func Suspend(keep Set) error {
	h, err := read()
	if err != nil {
		return err
	}
	return h.limited(keep, h.permitted).apply()
}

// Drop gives up for ever, in all threads, every capability that is not in keep,
// and makes sure that no program that is executed gets one back: the ambient
// set is emptied, no_new_privs is set, and where CAP_SETPCAP is held the
// bounding set shrinks to keep. It returns what is left. A binary that was
// linked with cgo cannot do so and gets syscall.ENOTSUP.
func Drop(keep Set) (Set, error) {
	h, err := read()
	if err != nil {
		return 0, err
	}
	if err := h.bound(keep); err != nil {
		return h.effective, err
	}
	if err := everywhere("set no_new_privs", unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return h.effective, err
	}
	if err := everywhere("empty the ambient set", unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL); err != nil {
		return h.effective, err
	}
	left := h.limited(keep, keep)
	if err := left.apply(); err != nil {
		return h.effective, err
	}
	return left.effective, nil
}

// limited is h with nothing beyond these two sets.
func (h held) limited(effective, permitted Set) held {
	p := h.permitted & permitted
	return held{effective: p & effective, permitted: p}
}

// apply makes h what all threads have; nothing is inheritable.
func (h held) apply() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{
		{Effective: uint32(h.effective), Permitted: uint32(h.permitted)},
		{Effective: uint32(h.effective >> 32), Permitted: uint32(h.permitted >> 32)},
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno == unix.ENOTSUP {
		return fmt.Errorf("set capabilities in a program that is linked with cgo: %w", errno)
	}
	if errno != 0 {
		return fmt.Errorf("set capabilities to %s: %w", h.effective, errno)
	}
	return nil
}

// bound removes what is not in keep from the bounding set. That needs
// CAP_SETPCAP in all threads; without it no_new_privs has to do.
func (h held) bound(keep Set) error {
	setpcap := Of(unix.CAP_SETPCAP)
	if !h.permitted.Has(setpcap) {
		return nil
	}
	if err := h.limited(h.effective|setpcap, h.permitted).apply(); err != nil {
		return err
	}
	for n := range 64 {
		if keep.Has(Of(n)) {
			continue
		}
		err := everywhere("shrink the bounding set", unix.PR_CAPBSET_DROP, uintptr(n))
		if errors.Is(err, unix.EINVAL) {
			return nil // this kernel has no more
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// everywhere calls prctl(2) in every thread.
func everywhere(what string, option, value uintptr) error {
	if _, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, option, value, 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("%s: %w", what, errno)
	}
	return nil
}
