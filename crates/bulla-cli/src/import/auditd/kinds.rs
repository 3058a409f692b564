//! Names of record types by number: facts of `linux/audit.h` and `libaudit.h`, which never
//! change for a number once given. Syslog has the numbers, auditd the names.

use std::borrow::Cow;

/// The first number of a row, and the names from there on.
const ROWS: &[(u32, &str)] = &[
    (
        1000,
        "\
        GET SET LIST ADD DEL USER LOGIN WATCH_INS WATCH_REM WATCH_LIST SIGNAL_INFO ADD_RULE \
        DEL_RULE LIST_RULES TRIM MAKE_EQUIV TTY_GET TTY_SET SET_FEATURE GET_FEATURE",
    ),
    (
        1100,
        "\
        USER_AUTH USER_ACCT USER_MGMT CRED_ACQ CRED_DISP USER_START USER_END USER_AVC \
        USER_CHAUTHTOK USER_ERR CRED_REFR USYS_CONFIG USER_LOGIN USER_LOGOUT ADD_USER \
        DEL_USER ADD_GROUP DEL_GROUP DAC_CHECK CHGRP_ID TEST TRUSTED_APP USER_SELINUX_ERR \
        USER_CMD USER_TTY CHUSER_ID GRP_AUTH SYSTEM_BOOT SYSTEM_SHUTDOWN SYSTEM_RUNLEVEL \
        SERVICE_START SERVICE_STOP GRP_MGMT GRP_CHAUTHTOK MAC_CHECK ACCT_LOCK ACCT_UNLOCK \
        USER_DEVICE SOFTWARE_UPDATE",
    ),
    (
        1200,
        "\
        DAEMON_START DAEMON_END DAEMON_ABORT DAEMON_CONFIG DAEMON_RECONFIG DAEMON_ROTATE \
        DAEMON_RESUME DAEMON_ACCEPT DAEMON_CLOSE DAEMON_ERR",
    ),
    (1300, "SYSCALL"),
    (1302, "PATH IPC SOCKETCALL CONFIG_CHANGE SOCKADDR CWD"),
    (1309, "EXECVE"),
    (
        1311,
        "\
        IPC_SET_PERM MQ_OPEN MQ_SENDRECV MQ_NOTIFY MQ_GETSETATTR KERNEL_OTHER FD_PAIR \
        OBJ_PID TTY EOE BPRM_FCAPS CAPSET MMAP NETFILTER_PKT NETFILTER_CFG SECCOMP PROCTITLE \
        FEATURE_CHANGE FEATURE_REPLACE KERN_MODULE FANOTIFY TIME_INJOFFSET TIME_ADJNTPVAL \
        BPF EVENT_LISTENER URINGOP OPENAT2 DM_CTRL DM_EVENT",
    ),
    (
        1400,
        "\
        AVC SELINUX_ERR AVC_PATH MAC_POLICY_LOAD MAC_STATUS MAC_CONFIG_CHANGE \
        MAC_UNLBL_ALLOW MAC_CIPSOV4_ADD MAC_CIPSOV4_DEL MAC_MAP_ADD MAC_MAP_DEL \
        MAC_IPSEC_ADDSA MAC_IPSEC_DELSA MAC_IPSEC_ADDSPD MAC_IPSEC_DELSPD MAC_IPSEC_EVENT \
        MAC_UNLBL_STCADD MAC_UNLBL_STCDEL MAC_CALIPSO_ADD MAC_CALIPSO_DEL IPE_ACCESS \
        IPE_CONFIG_CHANGE IPE_POLICY_LOAD LANDLOCK_ACCESS LANDLOCK_DOMAIN MAC_TASK_CONTEXTS \
        MAC_OBJ_CONTEXTS",
    ),
    (
        1500,
        "\
        APPARMOR APPARMOR_AUDIT APPARMOR_ALLOWED APPARMOR_DENIED APPARMOR_HINT \
        APPARMOR_STATUS APPARMOR_ERROR APPARMOR_KILL",
    ),
    (1700, "ANOM_PROMISCUOUS ANOM_ABEND ANOM_LINK ANOM_CREAT"),
    (
        1800,
        "\
        INTEGRITY_DATA INTEGRITY_METADATA INTEGRITY_STATUS INTEGRITY_HASH INTEGRITY_PCR \
        INTEGRITY_RULE INTEGRITY_EVM_XATTR INTEGRITY_POLICY_RULE",
    ),
    (2000, "KERNEL"),
    (
        2100,
        "\
        ANOM_LOGIN_FAILURES ANOM_LOGIN_TIME ANOM_LOGIN_SESSIONS ANOM_LOGIN_ACCT \
        ANOM_LOGIN_LOCATION ANOM_MAX_DAC ANOM_MAX_MAC ANOM_AMTU_FAIL ANOM_RBAC_FAIL \
        ANOM_RBAC_INTEGRITY_FAIL ANOM_CRYPTO_FAIL ANOM_ACCESS_FS ANOM_EXEC ANOM_MK_EXEC \
        ANOM_ADD_ACCT ANOM_DEL_ACCT ANOM_MOD_ACCT ANOM_ROOT_TRANS ANOM_LOGIN_SERVICE \
        ANOM_LOGIN_ROOT ANOM_ORIGIN_FAILURES ANOM_SESSION",
    ),
    (
        2200,
        "\
        RESP_ANOMALY RESP_ALERT RESP_KILL_PROC RESP_TERM_ACCESS RESP_ACCT_REMOTE \
        RESP_ACCT_LOCK_TIMED RESP_ACCT_UNLOCK_TIMED RESP_ACCT_LOCK RESP_TERM_LOCK \
        RESP_SEBOOL RESP_EXEC RESP_SINGLE RESP_HALT RESP_ORIGIN_BLOCK \
        RESP_ORIGIN_BLOCK_TIMED RESP_ORIGIN_UNBLOCK_TIMED",
    ),
    (
        2300,
        "\
        USER_ROLE_CHANGE ROLE_ASSIGN ROLE_REMOVE LABEL_OVERRIDE LABEL_LEVEL_CHANGE \
        USER_LABELED_EXPORT USER_UNLABELED_EXPORT DEV_ALLOC DEV_DEALLOC FS_RELABEL \
        USER_MAC_POLICY_LOAD ROLE_MODIFY USER_MAC_CONFIG_CHANGE USER_MAC_STATUS",
    ),
    (
        2400,
        "\
        CRYPTO_TEST_USER CRYPTO_PARAM_CHANGE_USER CRYPTO_LOGIN CRYPTO_LOGOUT CRYPTO_KEY_USER \
        CRYPTO_FAILURE_USER CRYPTO_REPLAY_USER CRYPTO_SESSION CRYPTO_IKE_SA CRYPTO_IPSEC_SA",
    ),
    (
        2500,
        "\
        VIRT_CONTROL VIRT_RESOURCE VIRT_MACHINE_ID VIRT_INTEGRITY_CHECK VIRT_CREATE \
        VIRT_DESTROY VIRT_MIGRATE_IN VIRT_MIGRATE_OUT",
    ),
];

/// The type by its name, whether it is written as `SYSCALL`, `1300` or `UNKNOWN[1300]`. A
/// number without a name stays as auditd writes it: `UNKNOWN[1999]`.
pub(super) fn named(kind: &str) -> String {
    let inside = kind.strip_prefix("UNKNOWN[").and_then(|rest| rest.strip_suffix(']'));
    let digits = inside.unwrap_or(kind);
    let number = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let name = number.map(|number| match name(number) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(format!("UNKNOWN[{number}]")),
    });
    name.unwrap_or(Cow::Borrowed(kind)).into_owned()
}

/// Whether programs write records of this type (11xx, and 21xx to 25xx): they all say how it
/// ended.
pub(super) fn is_of_a_program(kind: &str) -> bool {
    number(kind).is_some_and(|number| matches!(number, 1100..=1199 | 2100..=2599))
}

/// Whether the type is one without a name.
pub(super) fn is_unknown(kind: &str) -> bool {
    kind.starts_with("UNKNOWN[")
}

/// The number of a type as [`named`] gives it.
fn number(kind: &str) -> Option<u32> {
    if let Some(inside) = kind.strip_prefix("UNKNOWN[") {
        return inside.strip_suffix(']')?.parse().ok();
    }
    ROWS.iter().find_map(|(first, names)| {
        let place = names.split_ascii_whitespace().position(|name| name == kind)?;
        u32::try_from(place).ok().map(|place| first + place)
    })
}

fn name(number: u32) -> Option<&'static str> {
    let (first, names) = ROWS.iter().rfind(|(first, _)| *first <= number)?;
    let place = usize::try_from(number - first).ok()?;
    names.split_ascii_whitespace().nth(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_names_of_the_headers() {
        for (kind, expected) in [
            ("1006", "LOGIN"),
            ("1112", "USER_LOGIN"),
            ("1123", "USER_CMD"),
            ("1138", "SOFTWARE_UPDATE"),
            ("1203", "DAEMON_CONFIG"),
            ("1300", "SYSCALL"),
            ("1302", "PATH"),
            ("1309", "EXECVE"),
            ("1326", "SECCOMP"),
            ("1327", "PROCTITLE"),
            ("1339", "DM_EVENT"),
            ("1400", "AVC"),
            ("1420", "IPE_ACCESS"),
            ("1425", "MAC_TASK_CONTEXTS"),
            ("UNKNOWN[1426]", "MAC_OBJ_CONTEXTS"),
            ("1503", "APPARMOR_DENIED"),
            ("1701", "ANOM_ABEND"),
            ("1800", "INTEGRITY_DATA"),
            ("2000", "KERNEL"),
            ("2100", "ANOM_LOGIN_FAILURES"),
            ("2313", "USER_MAC_STATUS"),
            ("2404", "CRYPTO_KEY_USER"),
            ("2507", "VIRT_MIGRATE_OUT"),
            ("UNKNOWN[1330]", "KERN_MODULE"),
            ("UNKNOWN[1999]", "UNKNOWN[1999]"),
            ("1301", "UNKNOWN[1301]"),
            ("1999", "UNKNOWN[1999]"),
            ("0", "UNKNOWN[0]"),
            ("99999999999", "99999999999"),
            ("+1300", "+1300"),
            ("SYSCALL", "SYSCALL"),
            ("UNKNOWN[x]", "UNKNOWN[x]"),
        ] {
            assert_eq!(named(kind), expected);
        }
    }

    #[test]
    fn names_have_their_numbers() {
        for (kind, expected) in [
            ("USER_LOGIN", Some(1112)),
            ("MAC_OBJ_CONTEXTS", Some(1426)),
            ("UNKNOWN[1999]", Some(1999)),
            ("UNKNOWN[x]", None),
            ("NO_SUCH_TYPE", None),
        ] {
            assert_eq!(number(kind), expected, "{kind}");
        }
        assert!(is_of_a_program("USER_AUTH") && is_of_a_program("CRYPTO_FAILURE_USER"));
        assert!(is_of_a_program("UNKNOWN[1140]") && !is_of_a_program("SYSCALL"));
    }

    #[test]
    fn rows_are_in_order() {
        assert!(ROWS.is_sorted_by_key(|(first, _)| *first));
    }
}
