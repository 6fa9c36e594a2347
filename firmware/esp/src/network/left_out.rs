//! What the radio's libraries can do and a migrator never asks for: being an access point, measuring
//! distances (FTM), looking for beacons at times of its own.
//!
//! The libraries are made to do without. What leads into these parts are functions with weak symbols, and
//! ESP-IDF puts others in their place, which do nothing, where `CONFIG_ESP_WIFI_SOFTAP_SUPPORT`,
//! `CONFIG_ESP_WIFI_FTM_ENABLE` and `CONFIG_ESP_WIFI_SLP_SAMPLE_BEACON_FEATURE` are off. These are the same
//! functions. With nobody left who calls what was behind them, the linker leaves it out: 60 KB.
//!
//! Source: ESP-IDF 6.1, whose libraries esp-radio carries: `components/esp_wifi/src/wifi_init.c`, and for the
//! supplicant `components/wpa_supplicant`, `CMakeLists.txt` and `esp_supplicant/src/esp_wpa_main.c`.

use core::ffi::{c_int, c_void};
use core::ptr;

/// What the libraries hand over and nobody looks at.
type Any = *mut c_void;

/// Defines functions with C's calling convention that do nothing and give a value.
macro_rules! nothing {
    ($($name:ident($($argument:ty),*) -> $result:ty = $value:expr;)*) => { $(
        // Safety: nothing else defines the symbol but the libraries: see at each group why theirs is not
        // missed. Arguments and result are those of theirs.
        #[unsafe(no_mangle)]
        extern "C" fn $name($(_: $argument),*) -> $result { $value }
    )* };
}

// Being an access point: weak in the libraries, and as ESP-IDF has them without it.
nothing! {
    net80211_softap_funcs_init() -> () = ();
    ieee80211_ap_try_sa_query(Any) -> bool = false;
    ieee80211_ap_sa_query_timeout(Any) -> bool = false;
    create_new_bss_for_sa_query_failed_sta(u8) -> () = ();
    add_mic_ie_bip(Any) -> c_int = 0;
    ieee80211_free_beacon_eb() -> () = ();
    ieee80211_beacon_construct(Any, Any, Any, Any) -> () = ();
    ieee80211_assoc_resp_construct(Any, c_int) -> Any = ptr::null_mut();
    ieee80211_alloc_proberesp(Any, c_int) -> Any = ptr::null_mut();
    ieee80211_pwrsave(Any, Any) -> c_int = 0;
    ieee80211_set_tim(Any, c_int) -> c_int = 0;
    ieee80211_is_bufferable_mmpdu(Any) -> bool = false;
    cnx_node_remove(Any) -> () = ();
    cnx_node_leave(Any, u8) -> () = ();
    hostap_query_mac_in_list(Any, c_int) -> bool = false;
    hostap_add_in_mac_list(Any, c_int) -> c_int = 0;
    hostap_del_mac_info_from_list(Any, c_int) -> c_int = 0;
}

// The supplicant's part in being an access point. ESP-IDF does not even compile it without, and leaves the
// pointers to it null (`wpa_ap_init` and others of `struct wpa_funcs`), so stations never go through them;
// who did would learn here that there is no access point. The supplicant that esp-radio carries was compiled
// with it, and has symbols that are not weak: the linker takes these, because it has them before it looks
// into the library, and would say so if something else in there still needed the library's.
#[cfg(target_arch = "riscv32")]
nothing! {
    hostap_init() -> Any = ptr::null_mut();
    hostap_deinit(Any) -> bool = true;
    hostap_new_assoc_sta(Any, Any, Any, Any, Any, Any) -> bool = false;
    hostapd_get_hapd_data() -> Any = ptr::null_mut();
    wpa_ap_remove(Any) -> bool = false;
    wpa_receive(Any, Any, Any, usize) -> () = ();
    ap_free_sta(Any, Any) -> () = ();
    ap_get_sta(Any, Any) -> Any = ptr::null_mut();
    ap_sta_add(Any, Any) -> Any = ptr::null_mut();
}

// Measuring distances: weak as well.
nothing! {
    ieee80211_ftm_attach() -> c_int = 0;
    ftm_initiator_cleanup() -> () = ();
}

// Looking for beacons at times of its own: weak as well, with a way in of the libraries' own for without.
unsafe extern "C" {
    fn pm_beacon_offset_funcs_empty_init();
}

// Safety: as above; ESP-IDF's own calls the same function.
#[unsafe(no_mangle)]
extern "C" fn pm_beacon_offset_funcs_init() {
    // Safety: the library's own function, which is meant to be called from here.
    unsafe { pm_beacon_offset_funcs_empty_init() }
}
