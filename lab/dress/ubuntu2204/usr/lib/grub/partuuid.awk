# What /etc/grub.d/10_linux prints, as Ubuntu's does where GRUB_FORCE_PARTUUID is set (`partuuid`): each kernel is tried without an initramfs,
# and with it after that has failed; each entry says that a boot has begun.

BEGIN {
    print "function recordfail {\n  set recordfail=1\n  if [ -n \"${have_grubenv}\" ]; then if [ -z \"${boot_once}\" ]; then save_env recordfail; fi; fi\n}"
    print "function initrdfail {\n    if [ -n \"${have_grubenv}\" ]; then if [ -n \"${partuuid}\" ]; then"
    print "      if [ -z \"${initrdfail}\" ]; then\n        set initrdfail=1\n        if [ -n \"${boot_once}\" ]; then"
    print "          set prev_entry=\"${default}\"\n          save_env prev_entry\n        fi\n      fi\n      save_env initrdfail\n    fi; fi\n}"
    print "if [ \"${recordfail}\" = 1 ]; then\n  set timeout=0\nfi"
    print "set partuuid=" partuuid
}
/^[ \t]*menuentry / { print; print "\trecordfail"; next }
/^[ \t]*linux[ \t]/ { sub(/root=UUID=[^ ]*/, "root=PARTUUID=" partuuid); linux = $0; next }
/^[ \t]*echo[ \t].*initial ramdisk/ && linux { next }
/^[ \t]*initrd[ \t]/ && linux {
    print "\tif [ \"${initrdfail}\" = 1 ]; then"
    print "\t  echo\t'GRUB_FORCE_PARTUUID set, initrdless boot failed. Attempting with initrd.'"
    print linux; print
    print "\telse"
    print "\t  echo\t'GRUB_FORCE_PARTUUID set, attempting initrdless boot.'"
    print linux " panic=-1"
    print "\tfi\n\tinitrdfail"
    linux = ""
    next
}
/^[ \t]*}/ && linux { print linux; linux = "" }
{ print }
