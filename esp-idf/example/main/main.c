// Stands for the firmware that the devices have today.

#include <stdio.h>

void app_main(void)
{
    printf("old firmware\n");
}
